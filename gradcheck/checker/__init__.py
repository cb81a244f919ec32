"""The comparison of a gradient with differences: tolerance, entries, directions, verdicts."""
