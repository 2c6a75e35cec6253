"""How far an exploration goes: what the environment may do in one schedule, and how many states are seen in all."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from runtime.errors import InvalidSettings

__all__ = ["Bounds"]

_LEAST = {"asks_max": 1, "states_max": 1}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Every schedule within these bounds is seen. All but `asks_max` and `states_max` count events in one schedule.

    A bound of 0 leaves that kind of misfortune out. Adding 1 to a bound roughly doubles the number of states.
    """

    faults_max: int = 2  # A participant gives a command up, and has carried it out or not.
    silences_max: int = 2  # A timer fires before its answer, or an answer says nothing.
    duplicates_max: int = 1  # An answer comes once more.
    cancels_max: int = 1  # A client cancels.
    poisons_max: int = 1  # A step's commands, or its undos, fault each time from then on.
    replays_max: int = 1  # An operator replays the dead letter of a stuck saga.
    workings_max: int = 2  # A participant answers "not finished yet", to a do or to an undo.
    asks_max: int = 2  # Every budget is cut to this; longer ones only repeat.
    states_max: int = 1_000_000  # The search stops here, and is not complete. A state takes about 1 KB.

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = _LEAST.get(name, 0)
            if value < least:
                raise InvalidSettings(f"{name} is {value}; it has to be {least} or more")
