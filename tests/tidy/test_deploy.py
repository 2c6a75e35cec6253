"""The files of deploy/ have the form that their programs ask for, and agree with the node's settings and each other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from runtime.config import Settings
from runtime.errors import InvalidSettings
from runtime.launching import EXIT_CODES
from tests.acceptance.deployments import (
    COMPOSE,
    DEPLOY,
    KUBERNETES,
    UNIT,
    compose,
    documents,
    image,
    kubernetes,
    systemd,
    unit,
)
from tests.acceptance.shop import SERVICES
from tests.tidy.source import ROOT, name

LET_GO_S = 15.0  # as docs/reference/operations.md promises: "no stop takes longer than `drain_s` and 15 s more"
OLDEST, NEWEST = "1.30", "1.37"  # the first in which preStop may sleep without a feature gate, and the newest known
MANIFESTS = sorted(path for path in KUBERNETES.glob("*.yaml") if path.stem != "kustomization")
OBJECTS = [(path, number, one) for path in MANIFESTS for number, one in enumerate(documents(path))]


def pod_of(service: str) -> dict[str, Any]:
    pod: dict[str, Any] = documents(KUBERNETES / f"{service}.yaml")[0]["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize(("path", "number", "shown"), OBJECTS, ids=[f"{p.stem}-{n}" for p, n, _ in OBJECTS])
def test_manifests_fit_the_schemas_of_kubernetes(path: Path, number: int, shown: dict[str, Any], version: str) -> None:
    assert kubernetes_validate.validate(shown, version, strict=True) == version


def test_an_unknown_field_of_a_manifest_is_seen() -> None:
    wrong = documents(KUBERNETES / "sales.yaml")[0]
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenesProbe"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_the_kustomization_has_all_manifests_and_the_version_of_the_image() -> None:
    (found,) = documents(KUBERNETES / "kustomization.yaml")
    assert sorted(found["resources"]) == [path.name for path in MANIFESTS]
    (tagged,) = found["images"]
    assert {f"{tagged['newName']}:{tagged['newTag']}"} == {pod_of(one)["containers"][0]["image"] for one in SERVICES}


def test_there_is_a_deployment_for_each_service_and_they_differ_in_nothing_else() -> None:
    texts = {one: (KUBERNETES / f"{one}.yaml").read_text(encoding="utf-8") for one in SERVICES}
    assert {text.replace(service, "SERVICE") for service, text in texts.items()} == {
        texts["sales"].replace("sales", "SERVICE")
    }


@pytest.mark.parametrize("service", SERVICES)
def test_no_variable_of_a_service_comes_to_a_pod_and_no_account_of_the_cluster(service: str) -> None:
    pod = pod_of(service)
    assert pod["enableServiceLinks"] is False and pod["automountServiceAccountToken"] is False
    assert all("amends" not in one["metadata"]["name"] for _, _, one in OBJECTS if one["kind"] == "Service")


@pytest.mark.parametrize("service", SERVICES)
def test_labels_lead_from_budgets_and_the_service_to_the_pods(service: str) -> None:
    deployment, budget = documents(KUBERNETES / f"{service}.yaml")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == budget["spec"]["selector"]["matchLabels"] == labels
    assert deployment["spec"]["replicas"] > budget["spec"]["maxUnavailable"], "no machine could be drained quietly"
    (front,) = documents(KUBERNETES / "service.yaml")
    assert front["spec"]["selector"].items() <= labels.items()
    assert front["spec"]["ports"][0]["targetPort"] in [one["name"] for one in pod_of(service)["containers"][0]["ports"]]


@pytest.mark.parametrize("service", SERVICES)
def test_a_node_has_ended_by_itself_before_it_would_be_killed(service: str) -> None:
    launches = (
        kubernetes(service, {"url": "postgresql://amends@db.example/orders"}, "pod"),
        compose(service, {"DATABASE_PASSWORD": "x"}),
        systemd("billing", "machine"),
    )
    for launch in launches:
        assert float(launch.env["AMENDS_DRAIN_S"]) + LET_GO_S < launch.grace_s, launch.name


@pytest.mark.parametrize("service", SERVICES)
def test_readiness_notices_before_liveness_does_and_both_after_the_lease(service: str) -> None:
    (container,) = pod_of(service)["containers"]
    lease_s = float(kubernetes(service, {"url": "x:"}, "pod").env["AMENDS_LEASE_S"])

    def after_s(probe: str) -> float:
        found = container[f"{probe}Probe"]
        return float(found["periodSeconds"] * found["failureThreshold"])

    assert lease_s < after_s("readiness") < after_s("liveness")
    assert after_s("startup") >= 60, "a store that starts later would have its nodes started anew"


def test_no_file_says_a_password_or_gives_one_as_an_argument() -> None:
    launches = [
        *(kubernetes(one, {"url": "postgresql://amends:SECRET@db/orders"}, "pod") for one in SERVICES),
        *(compose(one, {"DATABASE_PASSWORD": "SECRET"}) for one in SERVICES),
        systemd("billing", "machine"),
    ]
    assert not [word for one in launches for word in one.command if "SECRET" in word or "://" in word]
    (project,) = documents(COMPOSE)
    assert project["services"]["database"]["environment"]["POSTGRES_PASSWORD"].startswith("${DATABASE_PASSWORD:?")
    ignored = subprocess.run(["git", "check-ignore", "-q", "deploy/compose/.env"], cwd=ROOT, check=False)
    assert ignored.returncode == 0, "the file with the password would be committed"


def test_compose_fits_the_schema_of_the_compose_specification(tmp_path: Path) -> None:
    checker = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*checker, str(COMPOSE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text(encoding="utf-8").replace("stop_grace_period", "stop_grace"), encoding="utf-8")
    done = subprocess.run([*checker, str(wrong)], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "stop_grace" in done.stdout


def test_compose_publishes_nothing_beyond_the_loopback() -> None:
    (project,) = documents(COMPOSE)
    published = [port for one in project["services"].values() for port in one.get("ports", [])]
    assert published and all(port.startswith("127.0.0.1:") for port in published)


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    python = tmp_path / "amends" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    text = UNIT.read_text(encoding="utf-8").replace("/opt/amends", str(tmp_path / "amends"))
    (tmp_path / UNIT.name).write_text(text, encoding="utf-8")
    verify = ["systemd-analyze", "verify", str(tmp_path / "amends@billing.service")]
    done = subprocess.run(
        verify, capture_output=True, text=True, check=False, env={**os.environ, "SYSTEMD_COLORS": "0"}
    )
    about = [
        line for line in done.stderr.splitlines() if "amends@" in line
    ]  # other units of the machine have faults too
    assert not about and done.returncode == 0, done.stderr


def test_the_unit_is_started_again_unless_a_setting_is_wrong() -> None:
    found = unit()
    assert found["Restart"] == ["on-failure"]
    assert found["KillSignal"] == ["SIGTERM"]
    assert found["RestartPreventExitStatus"] == [str(EXIT_CODES[InvalidSettings])]


def test_the_image_is_made_of_what_is_there_and_of_what_its_builder_may_see() -> None:
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines()
    seen = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert seen[1] == "*", "all that is not named would go to the builder"
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists() and f"!{source}" in seen, source
    assert image()[1] == ["python", "node.py"]
    assert any(line.startswith("USER 1") for line in lines), "it would run as root"


def test_settings_that_the_files_give_are_known() -> None:
    launches = (
        kubernetes("sales", {"url": "postgresql://amends@db.example/orders"}, "pod"),
        compose("sales", {"DATABASE_PASSWORD": "x"}),
        systemd("billing", "machine"),
    )
    for launch in launches:
        told = {key.removeprefix("AMENDS_").lower(): v for key, v in launch.env.items() if key.startswith("AMENDS_")}
        assert Settings(**told).name == launch.name  # type: ignore[arg-type]  # texts, as the environment gives them


def test_what_is_deployed_is_named_on_its_page() -> None:
    page = (ROOT / "docs" / "howto" / "deploy.md").read_text(encoding="utf-8")
    for path in sorted(DEPLOY.rglob("*")):
        if path.is_dir() or path.suffix in (".dockerignore",) or path.name == ".env" or "__pycache__" in path.parts:
            continue
        assert path.name in page or path.parent == KUBERNETES, f"{name(path)} is not explained"
