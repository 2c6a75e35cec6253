"""Workloads of the simulator that place orders. pyproject.toml gives them their short names."""
