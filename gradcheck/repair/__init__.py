"""From a wrong gradient to its cause: lines that are guilty, and edits of them that are tried and verified."""
