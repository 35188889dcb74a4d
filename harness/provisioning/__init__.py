"""Finds the programs a stack needs, and brings the missing ones into a cache. Installs nothing."""
