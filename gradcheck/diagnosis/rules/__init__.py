"""One family of mistakes per module; its ``RULE`` is found by `gradcheck.diagnosis.registry`."""
