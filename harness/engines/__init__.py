"""Engines bring a stack up and take it down again without leftovers. Kept empty: the guardian must start fast."""
