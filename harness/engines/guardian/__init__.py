"""Undoes faults and takes a stack down after its harness died. Standard library only, so that it starts fast."""
