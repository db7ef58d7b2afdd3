"""Reading container logs: tail, follow, since, until."""
