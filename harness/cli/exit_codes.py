"""Every way a command can end, and the exit code of each. Signals become exceptions here, once.

what happened                                              code
the verb returned                                          what it returned
a TocsinError                                              its own (2, 64 or 70)
the command line is wrong                                  64
no space left, or a file that may not be read or written   2
Ctrl-C                                                     130
SIGTERM, SIGHUP                                            143
anything else: our own mistake                             70, with the traceback in a file
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType

import typer

from tocsin.harness.cli import interrupt_notice
from tocsin.harness.cli.console import say
from tocsin.harness.core import errors

# Typer carries the command-line parser under a private name; its base class is reached through a public one.
_WrongCommand: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


class SignalHandlers:
    """While entered, SIGINT raises KeyboardInterrupt, SIGTERM and SIGHUP Terminated; a second signal is answered.

    A third one is raised again. A signal that the caller ignores (nohup, a background job) stays ignored.
    """

    def __init__(self) -> None:
        self._count = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> SignalHandlers:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _received(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count == 2:
            os.write(2, f"{interrupt_notice.sentence()}\n".encode())  # a print could interrupt another print
            return
        if number == signal.SIGINT:
            raise KeyboardInterrupt("SIGINT")
        raise errors.Terminated(signal.Signals(number).name)


def guarded(action: Callable[[], object]) -> int:
    """Call `action` and return the exit code of whatever happens. No traceback reaches the terminal."""
    try:
        with SignalHandlers():
            returned = action()
    except typer.Exit as ended:
        return ended.exit_code
    except BaseException as error:
        return explained(error)
    if isinstance(returned, int):
        return returned
    return errors.PASS


def explained(error: BaseException, folder: Path | None = None) -> int:
    """Say on stderr what went wrong and return its exit code. A crash leaves its traceback in `folder`."""
    if isinstance(error, errors.UsageError):
        _list_mistakes(error)
        return errors.USAGE
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else errors.BROKEN
    known = _known(error)
    if known is not None:
        sentence, code = known
        say(f"tocsin: {sentence}")
        return code
    say(f"tocsin: internal error: {_one_line(error)}. The traceback is in {_write_traceback(error, folder)}.")
    return errors.BROKEN


def _known(error: BaseException) -> tuple[str, int] | None:
    """Return the sentence and the exit code of an error that is no bug of ours, None for any other."""
    if isinstance(error, errors.Terminated):
        return "terminated.", errors.TERMINATED
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return "interrupted.", errors.INTERRUPTED
    if isinstance(error, errors.TocsinError):
        return str(error), error.exit_code
    if isinstance(error, _WrongCommand):
        return _wrong_command(error), errors.USAGE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"No space is left{_at(error)}. Free some, or name another place with --runs or TMPDIR.", errors.UNKNOWN
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.strerror}{_at(error)}. Name another place, or change its permissions.", errors.UNKNOWN
    return None


def _list_mistakes(error: errors.UsageError) -> None:
    for mistake in error.mistakes:
        say(str(mistake))
    count = len(error.mistakes)
    mistakes = "1 mistake" if count == 1 else f"{count} mistakes"
    say(f"tocsin: {mistakes}; nothing was started.")


def _wrong_command(error: BaseException) -> str:
    sentence = getattr(error, "format_message", lambda: str(error))().rstrip()
    if not sentence.endswith((".", "?")):
        sentence += "."
    context = getattr(error, "ctx", None)
    path = "tocsin" if context is None else context.command_path
    return f"{sentence} Try `{path} --help`."


def _at(error: OSError) -> str:
    return f": {error.filename}" if error.filename else ""


def _one_line(error: BaseException) -> str:
    kind, text = type(error).__name__, str(error).strip()
    if not text:
        return kind
    return f"{kind}: {text.splitlines()[0].rstrip('.')}"


def _write_traceback(error: BaseException, folder: Path | None) -> Path:
    text = "".join(traceback.format_exception(error))
    if folder is not None and folder.is_dir():
        path = folder / "traceback.txt"
        with contextlib.suppress(OSError):
            path.write_text(text, encoding="utf-8")
            return path
    handle, name = tempfile.mkstemp(prefix="tocsin-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)
