"""Frameworks whose functions can be checked as they are; each is imported when it is needed."""
