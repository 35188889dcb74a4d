"""Grafana dashboards as values: what each panel asks, of whom, and how its variables are filled in."""
