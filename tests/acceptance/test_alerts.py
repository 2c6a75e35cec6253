"""The board and the alerts of deploy/: they ask for what a real node tells, and each alert fires when it should.

promtool judges the alerts, as it would for a Prometheus that has loaded them.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from runtime.saga.view import Phase
from tests.acceptance.deployments import DEPLOY
from tests.unit.gateway.monitor.test_on_node import order_without_goods, watched
from tests.unit.operate.rows import SAGA, fill, mail, saga
from tests.unit.saga.records import task_in

RULES, TRIALS = DEPLOY / "prometheus" / "alerts.yaml", DEPLOY / "prometheus" / "alerts_test.yaml"
BOARD = DEPLOY / "grafana" / "board.json"
OF_PROMETHEUS = frozenset(("instance", "job"))  # Labels that it gives to all that it collects.
SELECTOR = re.compile(r"(amends_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+)\s*(?:=~|=|!=|!~)")

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


@cache
def alerts() -> Mapping[str, Mapping[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


@cache
def panels() -> tuple[Mapping[str, Any], ...]:
    return tuple(json.loads(BOARD.read_text(encoding="utf-8"))["panels"])


def queries() -> Iterator[str]:
    """All that the board and the alerts ask for, and the series with which alerts are tried."""
    yield from (target["expr"] for panel in panels() for target in panel.get("targets", ()))
    yield from (rule["expr"] for rule in alerts().values())
    trials = yaml.safe_load(TRIALS.read_text(encoding="utf-8"))["tests"]
    yield from (series["series"] for trial in trials for series in trial["input_series"])


async def test_each_metric_and_label_that_is_asked_for_is_told_by_a_real_node() -> None:
    async with watched() as one:
        owing = saga("A", status=SAGA.STUCK, tasks=(task_in(Phase.OWED, "bill"),))
        await fill(one.store, owing, saga("B", tasks=(task_in(Phase.UNKNOWN, "ship"),)))
        await fill(one.store, mail(7, kind="billing", parked="torn"))
        await one.node.client.ask(order_without_goods(), timeout=10.0)
        while not await one.metric("amends_saga_seconds_count", status="compensated"):
            await asyncio.sleep(0.02)
        await one.status("readyz")  # any call of a client
        told = (await one.get("/metrics")).text
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(told):
        names.setdefault(family.name, set())
        names.setdefault(f"{family.name}_total" if family.type == "counter" else family.name, set())
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    asked = [found for query in queries() for found in SELECTOR.findall(query)]
    assert len(asked) > 40
    for name, selector in asked:
        assert name in names, f"{name} is told by no node"
        labels = set(LABEL.findall(selector)) - OF_PROMETHEUS
        assert labels <= names[name], f"{name} has no label {labels - names[name]}"


def test_the_first_row_of_the_board_is_what_is_owed() -> None:
    first, second = panels()[:2]
    assert (first["type"], first["title"]) == ("row", "What is owed")
    assert second["title"] == "Undos owed" and "amends_undos_owed" in second["targets"][0]["expr"]


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=30)


@needs_promtool
def test_prometheus_takes_the_alerts_and_each_query_of_the_board(tmp_path: Path) -> None:
    checked = promtool("check", "rules", RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    asked = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    rules = [{"record": f"of_the_board:{number}", "expr": expr} for number, expr in enumerate(asked)]
    file = tmp_path / "board.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}), encoding="utf-8")
    checked = promtool("check", "rules", file)
    assert checked.returncode == 0 and f"{len(asked)} rules" in checked.stdout, checked.stdout + checked.stderr


def tried(folder: Path, rules: Mapping[str, Mapping[str, Any]]) -> subprocess.CompletedProcess[str]:
    """What comes of the trials with these rules."""
    document = {"groups": [{"name": "amends", "rules": [*rules.values()]}]}
    (folder / RULES.name).write_text(yaml.safe_dump(document, width=10_000), encoding="utf-8")
    shutil.copy(TRIALS, folder)
    return promtool("test", "rules", folder / TRIALS.name)


@needs_promtool
def test_each_alert_fires_when_it_should(tmp_path: Path) -> None:
    done = tried(tmp_path, alerts())
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("alert", alerts())
@pytest.mark.parametrize("expr", ["vector(1) > 2", "vector(1)"], ids=["never", "always"])
def test_an_alert_that_never_fires_or_always_would_be_seen(tmp_path: Path, alert: str, expr: str) -> None:
    wrong = {**alerts()[alert], "expr": expr}
    done = tried(tmp_path, {**alerts(), alert: wrong})
    assert done.returncode != 0 and f"alertname: {alert}" in done.stdout + done.stderr


def test_what_an_alert_says_to_do_can_be_done() -> None:
    """The commands that it names are commands of ours, with these options."""
    from runtime.admin.commands import admin

    for name, rule in alerts().items():
        for line in re.findall(r"`amends admin ([^`]+)`", rule["annotations"]["description"]):
            command, *words = line.split()
            options = {option for one in admin.commands[command].params for option in one.opts}
            assert {word for word in words if word.startswith("--")} <= options, (name, line)
