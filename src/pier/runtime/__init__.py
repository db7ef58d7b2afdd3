"""From an OCI configuration to a running process: spawner, keeper, creator, init."""
