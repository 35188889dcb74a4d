"""The local engine: native processes on loopback ports."""
