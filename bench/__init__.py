"""Pier and dockerd in turn, with the same docker command line, on the same machine in the same minutes."""
