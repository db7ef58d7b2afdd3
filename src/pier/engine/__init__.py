"""One machine: the services behind the API, their lifecycles and events."""
