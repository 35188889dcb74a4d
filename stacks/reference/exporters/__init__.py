"""Exporters for what has none of its own here: GPUs under DCGM's names, and the log shipper's statistics."""
