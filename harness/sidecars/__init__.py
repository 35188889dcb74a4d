"""Processes that run beside a stack: the pager and the proxy. Standard library only."""
