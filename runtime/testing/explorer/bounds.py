"""How far an exploration goes: what the environment may do in one schedule, and how much is looked at in all."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from runtime.errors import InvalidSettings

__all__ = ["Bounds"]

_LEAST = {"asks_max": 1, "states_max": 1}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Within these, every schedule is seen. All but `states_max` count what happens in one schedule.

    A bound of 0 leaves that kind of misfortune out. Lower ones are quicker: each roughly doubles the number of states.
    """

    faults_max: int = 2  # a participant gives a command up, having carried it out or not
    silences_max: int = 2  # a timer fires although an answer is still to come, or an answer says nothing
    duplicates_max: int = 1  # an answer comes once more
    cancels_max: int = 1  # a client asks for cancellation
    poisons_max: int = 1  # commands of one step, in one direction, that fault each time from then on
    replays_max: int = 1  # an operator mends what a stuck saga is stuck on, and has its dead letter handled
    asks_max: int = 2  # every budget of the saga is cut down to this, since longer ones only repeat themselves
    states_max: int = 1_000_000  # beyond it the search stops, and is not complete; about 1 KB each

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = _LEAST.get(name, 0)
            if value < least:
                raise InvalidSettings(f"{name} is {value}; it has to be {least} or more")
