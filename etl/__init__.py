"""Sources: what a hospital declares, how it is read, identified and compiled into the CDM."""
