"""Reports: pure functions from a result to a table or a text."""
