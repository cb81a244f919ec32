"""The run of a script: calls and rounds as they happened, and the state around them."""
