"""Checks what a scenario sends: users, pacers and payloads exist, and fit the phase and the stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.core.errors import Mistake
from tocsin.harness.core.untyped_data import mapping
from tocsin.harness.declarations.request_format import ShapeBound
from tocsin.harness.declarations.scenario import Catalogue, Traffic, pacer_of
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.planning import locust_user_file
from tocsin.harness.planning.argument_references import Names, references
from tocsin.harness.planning.diagnostics import Page, Where, pieces, unknown_name


@dataclass(frozen=True, kw_only=True)
class TrafficCheck:
    """What traffic is checked against; each method returns or yields mistakes."""

    page: Page
    stack: Stack
    catalogue: Catalogue
    names: Names

    @property
    def _folder(self) -> Path:
        return Path(self.page.file).parent

    @property
    def _traffic(self) -> Mapping[str, object]:
        return mapping(self.page.content.get("traffic"))

    def answers(self) -> Iterator[Mistake]:
        """Check the kinds of requests that stack.yaml's `payload.answers` names."""
        file = str(self.stack.folder / "stack.yaml")
        for kind in self.stack.payload.answers:
            if kind not in self.names["kind"]:
                yield unknown_name(file, "kind", kind, self.names["kind"], where="payload.answers")

    def users(self) -> list[Mistake]:
        """Check `traffic.users`: a name, or a class in a file."""
        mistakes: list[Mistake] = []
        if "users" in self._traffic:
            users = self._traffic["users"]
            if locust_user_file.split(str(users), self._folder) is not None:
                return locust_user_file.mistakes(self.page, str(users), self._folder)
            known = dict.fromkeys(self.catalogue.users, True)
            self.page.known(("traffic", "users"), "user", users, known, mistakes, where="users")
        return mistakes

    def arrivals(self, path: Where, traffic: Mapping[str, object], length_s: float | None) -> list[Mistake]:
        """Check a pacer: its name, its arguments, and that they fit the length; None for a length that is wrong."""
        mistakes: list[Mistake] = []
        arrivals = traffic.get("arrivals")
        where: Where = (*path, "arrivals")
        if isinstance(arrivals, str):
            (name, content), inside = pacer_of(arrivals), where
        elif len(mapping(arrivals)) == 1:
            name, content = pacer_of(mapping(arrivals))
            inside = (*where, name)
        else:
            return mistakes  # not there, or a mistake of another kind, which the scenario's own model names
        pacer = self.page.known(where, "pacer", name, self.catalogue.pacers, mistakes, where="arrivals")
        if pacer is None:
            return mistakes
        args = pieces(self.page, inside, pacer.args, content, mistakes)
        if args is None or length_s is None:
            return mistakes
        rate = traffic.get("rate_per_s")
        rate_per_s = float(rate) if isinstance(rate, int | float) else Traffic().rate_per_s
        folders = (self._folder, self.stack.folder)
        for key, value, expected in pacer.wrong(args, rate_per_s=rate_per_s, length_s=length_s, folders=folders):
            mistakes.append(self.page.mistake((*where, name, key), key, value, expected))
        return mistakes

    def payload(self, path: Where, payload: object) -> list[Mistake]:
        """Check the payload of a phase: its kind, its arguments, and that they fit the stack's requests."""
        mistakes: list[Mistake] = []
        content = mapping(payload)
        if not content:
            return mistakes
        kind = next((key for key in self.catalogue.payloads if key in content), None)
        if kind is None:
            self.page.known(path, "payload", next(iter(content)), self.catalogue.payloads, mistakes)
            return mistakes
        args = pieces(self.page, path, self.catalogue.payloads[kind], content, mistakes)
        if args is None:
            return mistakes
        if isinstance(args, ShapeBound):
            for name, expected in args.unfit(self.stack.payload):
                mistakes.append(self.page.mistake((*path, name), name, str(content.get(name, "nothing")), expected))
        return mistakes + references(self.page, path, args, self.names)

    def feedback_of_closed_users(self, index: int, phase: Mapping[str, object]) -> Iterator[Mistake]:
        """Check that closed users send no delayed truth: nobody knows beforehand when they send."""
        if "feedback" not in mapping(phase.get("payload")):
            return
        traffic = {**self._traffic, **mapping(phase.get("traffic"))}
        arrivals = traffic.get("arrivals")
        if arrivals == "closed" or "closed" in mapping(arrivals):
            where = ("timeline", index, "payload", "feedback")
            expected = "an open loop: when closed users send is not known before"
            yield self.page.mistake(where, "feedback", "closed users", expected)
