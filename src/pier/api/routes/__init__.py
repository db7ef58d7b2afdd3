"""One file per noun: `ROUTES` and the handlers that turn requests into calls of the engine and results into answers."""
