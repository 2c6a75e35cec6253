"""A catalogue says which sagas live beside which services; what cannot be meant is refused with the cure."""

from __future__ import annotations

import re
from typing import Any

import pytest

from runtime.durable.service import Service
from runtime.errors import InvalidDefinition
from tests.unit.saga.shop import ShopProcess
from tests.unit.saga.test_catalogue import SERVICES, BillingAgain, catalogue


class RenamedBilling(BillingAgain, kind="invoicing", formerly=("billing",)):
    """The kind of today's name."""


def test_a_saga_lives_beside_nothing_unless_that_is_said() -> None:
    assert catalogue().beside == {}
    assert catalogue(beside={ShopProcess.kind: "sales"}).beside == {"order-process": "sales"}


def test_the_names_that_kinds_have_now_stand_for_those_in_the_store() -> None:
    assert issubclass(RenamedBilling, Service)
    named = catalogue(services={**SERVICES, "billing": [RenamedBilling]}, beside={"order-process": "invoicing"})
    assert named.beside == {"order-process": "billing"}


@pytest.mark.parametrize(
    ("beside", "complaint"),
    [
        ([("order-process", "sales")], "beside: [('order-process', 'sales')] is not services by saga, as in {'book-t"),
        ({"order": "sales"}, "beside: there is no saga 'order'; there are order-process. Services live beside nobody"),
        ({"billing": "sales"}, "beside: there is no saga 'billing'; there are order-process"),
        ({"order-process": "shipping"}, "beside['order-process']: there is no service of the kind 'shipping'; name"),
        ({"order-process": "order-process"}, "beside['order-process']: there is no service of the kind 'order-proc"),
        ({"order-process": ["sales"]}, "beside['order-process']: there is no service of the kind ['sales']"),
    ],
)
def test_a_saga_beside_what_is_no_service_is_refused(beside: Any, complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=re.escape(complaint)):
        catalogue(beside=beside)
