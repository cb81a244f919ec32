"""Mistakes planted into correct networks, one or two at a time, and what the repair makes of them."""
