"""An inference service for the Statlog Shuttle data: `python -m service --help`."""
