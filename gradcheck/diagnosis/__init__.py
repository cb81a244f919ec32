"""Why a gradient is wrong: what its numbers say."""
