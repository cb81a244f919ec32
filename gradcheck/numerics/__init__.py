"""A derivative with a certified bound: arrays in, arrays out."""
