"""The magic for notebooks."""
