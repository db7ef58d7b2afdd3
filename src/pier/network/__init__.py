"""Bridges, network namespaces, addresses and published ports."""
