"""What of a recording is a loss, a gradient, a parameter and a step."""
