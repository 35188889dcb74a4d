"""The verbs in one place: name, and the function of its file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from tocsin import __version__
from tocsin.harness.cli.doctor import doctor
from tocsin.harness.cli.fidelity import fidelity
from tocsin.harness.cli.init import init
from tocsin.harness.cli.judge import judge
from tocsin.harness.cli.ls import ls
from tocsin.harness.cli.plan import plan
from tocsin.harness.cli.run import run
from tocsin.harness.cli.schema import schema
from tocsin.harness.cli.setup import setup
from tocsin.harness.cli.sweep import sweep
from tocsin.harness.cli.up import up
from tocsin.harness.cli.worker import worker
from tocsin.harness.core.errors import USAGE

ALL: tuple[Callable[..., int], ...] = (run, plan, judge, fidelity, up, worker, ls, schema, init, doctor, setup, sweep)


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"tocsin {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A fire drill for monitored ML services: proves that alerts fire when they must, and only then.

    Exit codes: 0 pass, 1 fail, 2 unknown, 64 wrong scenario or command line, 70 Tocsin itself failed, 130 interrupted,
    143 terminated.
    """


def command() -> Any:
    """Return the command tree; tests and docs check names and options against it."""
    application = typer.Typer(
        add_completion=False,
        no_args_is_help=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    application.callback(invoke_without_command=True)(_root)
    for verb in ALL:
        application.command()(verb)
    return typer.main.get_command(application)


def invoke(argv: list[str]) -> int:
    """Parse and run one command line; errors are raised, not printed. No verb at all is a wrong command line."""
    group = command()
    if not argv:
        with group.make_context("tocsin", ["ls"]) as context:
            typer.echo(context.get_help(), err=True)
        return USAGE
    with group.make_context("tocsin", argv) as context:
        returned = group.invoke(context)
    return returned if isinstance(returned, int) else USAGE
