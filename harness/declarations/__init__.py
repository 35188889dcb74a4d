"""What a scenario and a stack declare, as frozen values, and what a running stack offers."""
