"""What an author lets a step ask before it is undone: whether it has happened."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ASK_AGAIN", "REFUSED", "Probe"]

ASK_AGAIN, REFUSED = "ask again", "refused"


@dataclass(frozen=True, slots=True)
class Probe:
    """A question to the runtime of a step's actor, for when silence or a fault leaves the step's outcome unknown.

    The runtime knows which commands were handled and what was answered. If the step has happened, its answer counts as
    if it had come. If no command of it has ever been handled, none ever will be: `absent` says what that means. If
    nobody can tell, or the probe is silent too, the step has failed as without a probe.

    Of a command that was given up the runtime cannot tell, since it may have had an effect outside. A service that has
    a look-up for the command is asked then: see runtime/durable/look_up.py. Without one the step is undone.

    absent    "refused": the step counts as refused. "ask again": it is asked again with a fresh command, as long as its
              budget lasts, and counts as refused then. Where there is no way back nothing can be refused: what is
              absent is asked again in both cases, also beyond the budget, since no participant has given it up
    asks_max  so many probes are sent; each waits for an answer as long as the step's timeout
    """

    absent: str = REFUSED
    asks_max: int = 2
