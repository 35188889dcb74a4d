"""The external engine: attaches to a system that runs already."""
