"""The engine of Tocsin: it knows no particular drill, check or product."""
