"""Measurements of speed and of verdicts, also against other checkers; run by hand, never as tests."""
