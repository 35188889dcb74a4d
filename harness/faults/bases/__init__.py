"""What faults of one sort share."""
