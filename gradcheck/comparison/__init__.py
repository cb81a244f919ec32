"""A script's training beside that with its fix, and beside the reference on the same data."""
