"""What the pytest plugin does; its entry, ``_gradcheck_pytest``, loads it when it is first needed."""
