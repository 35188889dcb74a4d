"""Faults inside the service for fire drills. Off unless TOCSIN_FAULTS=1.

A fault is a class in the module of its sort. None blocks the event loop, but for `blocked_loop`, which does nothing
else.
"""
