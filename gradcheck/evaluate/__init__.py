"""The user's loss at displaced parameters: called, counted, spread over workers, and put back."""
