"""Checks whether a node's own parts are told the truth about their commits.

    Activation, Client ──submit──▶ CommitWitness ──▶ Committer        each transition, and its outcome as it is told
                                      └──▶ Ledger               what was really committed

A transition that is told to be COMMITTED is committed. One that is told anything else is not, and never will be (I11).
The witness stands between the committer and whoever submits, so the node's own code runs unchanged.
"""

from __future__ import annotations

from functools import partial

from runtime.errors import StoreError
from runtime.store.committer import Committer, Done
from runtime.store.groups import Unit, transitions_of
from runtime.store.records import Verdict
from runtime.testing.rules.ledger import Ledger

__all__ = ["CommitWitness"]


class CommitWitness:
    """The witness of one life of one node."""

    def __init__(self, committer: Committer, ledger: Ledger) -> None:
        self._submit = committer.submit
        self._ledger = ledger
        committer.submit = self.submit  # type: ignore[method-assign]  # this object alone, for one run

    def submit(self, unit: Unit, done: Done) -> None:
        self._submit(unit, partial(self._told, unit, done))

    def _told(self, unit: Unit, done: Done, outcome: Verdict | StoreError) -> None:
        if outcome is Verdict.COMMITTED:
            for transition in transitions_of([unit]):
                self._ledger.was_told_of(transition)
        elif isinstance(outcome, StoreError) or outcome is not Verdict.DUPLICATE:
            for transition in transitions_of([unit]):
                self._ledger.was_denied(transition)
        done(outcome)
