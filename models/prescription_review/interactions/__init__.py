"""Drug interactions of the ANSM thesaurus: what it says, when that applies, and whether it should interrupt."""
