"""One examination, from a path to a report."""
