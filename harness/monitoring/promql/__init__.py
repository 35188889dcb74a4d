"""PromQL expressions and rule files as values: what they read, and how they change when time is divided."""
