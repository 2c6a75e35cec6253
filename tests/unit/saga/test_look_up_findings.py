"""A look-up that nobody asks for is warned of."""

from __future__ import annotations

from typing import Any

from runtime.saga.catalogue import Catalogue
from runtime.saga.findings import findings
from runtime.saga.saga import Saga
from tests.proof.programs import programs_pb2 as pb
from tests.proof.workloads.awaited import Starter
from tests.proof.workloads.outside import Charges, ChargingAlpha, ClumsyBank, TakenShelf


def catalogue(saga: type[Saga[Any]]) -> Catalogue:
    services: dict[str, Any] = {"origin": [Starter], "alpha": [ChargingAlpha], "beta": [TakenShelf], "charges": [saga]}
    return Catalogue(contracts=[pb], services=services, provides={ClumsyBank: ClumsyBank})


def test_a_look_up_whose_command_no_step_probes_is_named_with_the_cure() -> None:
    (told,) = findings(catalogue(Charges.with_steps(pay={"probe": None})))
    assert told.startswith("alpha's was_paid looks up programs.ChangeAlpha, and no step that sends it has a probe")
    assert told.endswith("give the step a probe=Probe(), or take it out")


def test_one_that_a_step_probes_is_fine() -> None:
    assert findings(catalogue(Charges)) == ()
