"""The Docker Engine API: HTTP in and out, no decisions."""
