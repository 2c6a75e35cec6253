"""What holds for every test of the project."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes, or is drawn, says how busy the machine is and nothing about the code.
settings.register_profile(
    "whatever the machine", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("whatever the machine")
