"""The client of the Engine API: addresses, contexts, HTTP on a plain socket, streams. No output, no policy."""
