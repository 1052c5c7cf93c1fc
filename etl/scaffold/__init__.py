"""Scaffolding: look at a hospital's tables once, and write a first declaration with the open decisions marked."""
