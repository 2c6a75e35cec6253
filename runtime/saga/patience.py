"""What a step says of time: how long it waits, how often it asks, and at which pace. Each mistake names the cure."""

from __future__ import annotations

from runtime.durations import check_count, check_span, in_seconds, shown
from runtime.errors import InvalidDefinition
from runtime.saga.probe import ASK_AGAIN, REFUSED, Probe
from runtime.saga.step import Budget, Step

__all__ = ["check_budget", "check_pace", "check_probe", "check_timeout"]


def check_timeout(step: Step, where: str) -> None:
    """Raises InvalidDefinition, as all of them do."""
    check_span(step.timeout, "a step needs a finite timeout above 0: after it, no answer means 'maybe done'", where)


def check_budget(budget: object, where: str) -> None:
    if not isinstance(budget, Budget):
        raise InvalidDefinition(f"{where}: a budget is a Budget, not {shown(budget)}")
    rule = "a budget needs at least 1 ask, and pauses above 0 that may grow"
    check_count(budget.asks_max, rule, where, least=1)
    check_span(budget.backoff, rule, where)
    check_span(budget.backoff_max, rule, where)
    least_s, most_s = in_seconds(budget.backoff), in_seconds(budget.backoff_max)
    if most_s < least_s:
        raise InvalidDefinition(f"{where}: {rule}, not from {least_s:g} s to {most_s:g} s")


def check_probe(probe: object, where: str) -> None:
    if probe is None:
        return
    if not isinstance(probe, Probe):
        raise InvalidDefinition(f"{where}: a probe is a Probe(), not {shown(probe)}")
    if probe.absent not in (REFUSED, ASK_AGAIN):
        raise InvalidDefinition(
            f"{where}: what a probe finds not to have happened (absent) is {REFUSED!r} or {ASK_AGAIN!r}, "
            f"not {shown(probe.absent)}"
        )
    check_count(probe.asks_max, "so many probes are sent (asks_max): at least 1", where, least=1)


def check_pace(step: Step, where: str) -> None:
    is_asked_again = step.working != () or step.undo_working != ()
    if not is_asked_again:
        for name, span in (("every", step.every), ("at_most", step.at_most)):
            if span is not None:
                raise InvalidDefinition(
                    f"{where}: it has {name}, and no answer that means 'not finished yet'; name that (working=..., or "
                    f"undo_working=... of its undo), or take {name} out"
                )
        return
    if step.every is None:
        raise InvalidDefinition(
            f"{where}: an answer may mean 'not finished yet'; say at which pace to ask again (every=minutes(1))"
        )
    check_span(step.every, "a step is asked again at a pace (every) above 0", where)
    every_s = in_seconds(step.every)
    if step.at_most is not None:
        rule = "the limit of asking again (at_most) is a span above 0"
        check_span(step.at_most, rule, where)
        if in_seconds(step.at_most) < every_s:
            raise InvalidDefinition(
                f"{where}: at_most is {in_seconds(step.at_most):g} s, shorter than the pace of {every_s:g} s "
                "(every), so that nobody would ever be asked again; lengthen it, or take it out"
            )
