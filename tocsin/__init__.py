"""Tocsin: a fire drill for monitored ML services. The folders beside this file are links to those of the repository."""

__version__ = "0.1.0"
