"""A script as text: its files, its syntax, its names, and edits of it."""
