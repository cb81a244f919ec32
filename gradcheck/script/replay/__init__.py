"""A recorded moment, played again with other parameters."""
