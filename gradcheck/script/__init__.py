"""From a script's path to a checked subject: source, record, understand, replay, examine, isolate."""
