"""The compose engine: the same stack folder under Docker Compose."""
