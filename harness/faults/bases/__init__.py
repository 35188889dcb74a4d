"""Base classes of faults that work alike."""
