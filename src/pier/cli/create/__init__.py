"""From the flags of `run` and `create` to the body that the daemon gets; pure except for the files that flags name."""
