"""The client's side of the Engine API."""
