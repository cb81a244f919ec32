"""A script's gradients compared with differences, at several points."""
