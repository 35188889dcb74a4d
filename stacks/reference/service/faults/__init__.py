"""Faults inside the service for fire drills, and the control app that turns them on. Off unless TOCSIN_FAULTS=1.

A fault is a class in the module of its sort. None blocks the event loop, but for `blocked_loop`, which does nothing
else.
"""

from service.faults.base import EveryNth as EveryNth
from service.faults.control import control_app as control_app
from service.faults.switches import FAULTS as FAULTS
from service.faults.switches import Faults as Faults
