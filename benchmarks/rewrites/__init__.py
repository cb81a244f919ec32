"""Rewrites of scripts that must change nothing: what is answered about a fixture is answered about each of them.

A kind (`kinds/`) makes another syntax tree of a script's; a rewrite counts only if it prints what the script prints.
"""
