"""The stack's own monitoring files as values: alerts, routes, dashboards. Reads files only."""
