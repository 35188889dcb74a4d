"""The stand-ins for every test of the command line."""

from tests.cli.faked import fakes

__all__ = ["fakes"]
