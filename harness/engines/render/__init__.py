"""A stack's configuration for one run: addresses, paths and times filled in."""
