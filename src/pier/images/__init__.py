"""Images at rest: tar reading, unpacking, pulling, importing, tags."""
