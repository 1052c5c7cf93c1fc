"""Which prescription lines would a pharmacist correct, and why: rules as features, one tree ensemble."""
