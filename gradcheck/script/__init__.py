"""From the text of a script to its checked gradients: source, record, replay, understand, check."""
