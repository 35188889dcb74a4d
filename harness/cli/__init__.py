"""The command line: one file per verb, and `main`, which maps every ending to an exit code (`exits.py`).

The composition root: the only package that knows all others, prints, and exits. Verbs import lazily, so that
`tocsin --help` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (default: sys.argv) and return the exit code."""
    import sys

    from tocsin.harness.cli.exit_codes import guarded
    from tocsin.harness.cli.verbs import invoke

    return guarded(lambda: invoke(list(sys.argv[1:] if argv is None else argv)))
