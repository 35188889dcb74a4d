"""Phrases that several verdicts share: counts with their nouns, lists that are cut short, text on one line."""

from __future__ import annotations

from collections.abc import Sequence


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: `1 notice`, `3 notices`."""
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def times(count: int) -> str:
    """Return `once` or `3 times`."""
    return "once" if count == 1 else f"{count} times"


def between(low: int, high: int) -> str:
    """Return a range of counts: `3 to 5`, or `3` alone."""
    return str(low) if low == high else f"{low} to {high}"


def first_few(sentences: Sequence[str], most: int, separator: str) -> str:
    """Return the first `most` sentences, joined, and how many more there are: `a; b (and 3 more)`."""
    shown = separator.join(sentences[:most])
    return f"{shown} (and {len(sentences) - most} more)" if len(sentences) > most else shown


def one_line(text: str) -> str:
    """Return a text with every run of white space as one space."""
    return " ".join(text.split())
