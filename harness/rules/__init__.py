"""PromQL rule files as values: what they declare, and how they read when time is made short."""
