"""Test files for pytest that keep a script's gradients right."""
