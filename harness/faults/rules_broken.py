"""Breaks a rule file and reloads it: Prometheus refuses it and goes on with the rules that it had."""

from __future__ import annotations

import re
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.check_arguments import AlertName
from tocsin.harness.declarations.fault_contract import Params
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.reload import ReloadFault

_RULE_FILE = re.compile(r"\.(yml|yaml|rules)$")


class RulesBrokenParams(Params):
    """`alert`: the file that defines it is broken."""

    alert: AlertName
    example = {"alert": "HighErrorRate"}


class RulesBroken(ReloadFault):
    """A rule file with a syntax error is rolled out."""

    params: RulesBrokenParams
    role = "prometheus"
    metric = "prometheus_config_last_reload_successful"
    broken = "groups:\n  - name: broken\n    rules:\n      - alert: Broken\n        expr: sum by ( > 1\n"

    def file(self, live: LiveStack) -> Path:
        """Return the rendered rule file that holds the alert."""
        alert = re.compile(rf"""\balert["']?:\s*["']?{re.escape(self.params.alert)}["']?\s*($|[,}}#])""", re.MULTILINE)
        home = live.work / "config" / Path(live.stack.prometheus or "").parent
        for file in sorted(home.rglob("*")):
            if file.is_file() and _RULE_FILE.search(file.name) and alert.search(file.read_text(encoding="utf-8")):
                return file
        raise StackError(f"No rendered rule file defines {self.params.alert}.", hint="See config/ of the run.")
