"""The contract of a fault, under the name it had before (tocsin.harness.declarations.fault)."""

from tocsin.harness.declarations.fault import CAPABILITIES as HANDLES
from tocsin.harness.declarations.fault import Fault as Fault
from tocsin.harness.declarations.fault import Params as Params
from tocsin.harness.declarations.fault import State as State
from tocsin.harness.declarations.fault import Witness as Witness

__all__ = ["HANDLES", "Fault", "Params", "State", "Witness"]
