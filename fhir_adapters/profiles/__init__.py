"""Our StructureDefinitions, CodeSystems and NamingSystems, for validators and receivers."""
