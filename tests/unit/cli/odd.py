"""Names that are none of a catalogue, or of one that does not fit together."""

from __future__ import annotations

from actors.billing import Billing
from actors.orchestration import OrderProcess
from protos import billing_pb2
from runtime.saga.catalogue import Catalogue

NUMBER = 1
MADE = Catalogue(contracts=[billing_pb2], services={"billing": [Billing]})


def number() -> int:
    return NUMBER


def fails() -> float:
    return NUMBER / 0


def unfit() -> Catalogue:
    return Catalogue(contracts=[billing_pb2], services={"process": [OrderProcess]})
