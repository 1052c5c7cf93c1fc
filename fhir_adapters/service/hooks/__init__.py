"""CDS Hooks 2.0: three services that answer while an order is written, and the feedback about their cards."""
