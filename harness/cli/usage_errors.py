"""Mistakes on the command line: how one is worded, and how those of several steps are gathered and told at once."""

from __future__ import annotations

from types import TracebackType

from tocsin.harness.core.errors import Mistake, UsageError

COMMAND_LINE = "command line"


def usage_error(
    where: str, value: object, expected: str, hint: str = "", *, place: object = COMMAND_LINE
) -> UsageError:
    """Return the error of one mistake: `where` is an option or a key, `place` the file that it stands in."""
    return UsageError([Mistake(file=str(place), line=0, where=where, value=str(value), expected=expected, hint=hint)])


class Mistakes:
    """Gathers mistakes: `with mistakes:` keeps those of a UsageError and goes on, `refuse` raises all of them."""

    def __init__(self) -> None:
        self._all: list[Mistake] = []

    def add(self, where: str, value: object, expected: str, hint: str = "", *, place: object = COMMAND_LINE) -> None:
        """Add one mistake, described as in `usage_error`."""
        self.keep(usage_error(where, value, expected, hint, place=place))

    def refuse(self) -> None:
        """Raise one UsageError with all mistakes, if there are any."""
        if self._all:
            raise UsageError(self._all)

    def keep(self, error: UsageError) -> None:
        """Add the mistakes of an error, each once."""
        self._all += [mistake for mistake in error.mistakes if mistake not in self._all]

    def __enter__(self) -> Mistakes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        if isinstance(error, UsageError):
            self.keep(error)
            return True
        return False
