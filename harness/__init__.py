"""Tocsin: a fire drill for monitored ML services. `harness` is the engine; it knows no particular drill."""

__version__ = "0.1.0"
