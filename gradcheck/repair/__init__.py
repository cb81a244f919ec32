"""Edits of a script that mend its gradients."""
