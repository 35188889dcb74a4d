"""What a run leaves in its directory, frozen, with one pure reader per stream. No network, no server."""
