"""What the tests stand on: daemons of their own, images, a registry, addresses, and the watch for leaks."""
