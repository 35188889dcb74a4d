"""The contract of a fault, and what faults of one sort share."""
