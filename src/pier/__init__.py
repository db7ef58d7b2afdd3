"""Pier: a container engine for Linux, compatible with Docker at every seam a user touches."""

__version__ = "0.1.0"
