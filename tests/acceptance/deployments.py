"""How each file of deploy/ starts a node, read from the file itself: command, environment, probes, time to drain.

deploy/kubernetes/*.yaml ──┐
deploy/compose/*.yaml ─────┼──▶ Launch ──on_loopback──▶ a process of a test
deploy/systemd/* ──────────┘
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "DEPLOY",
    "KUBERNETES",
    "Launch",
    "compose",
    "documents",
    "image",
    "kubernetes",
    "lay_out",
    "systemd",
    "unit",
]

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
UNIT = DEPLOY / "systemd" / "amends@.service"
_PORT = "7650"
_VARIABLE = re.compile(r"\$\{(\w+)(?::\?[^}]*)?\}")
_REFERENCE = re.compile(r"\$\((\w+)\)")


@dataclass(frozen=True, slots=True)
class Launch:
    """One node as an orchestrator starts it."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    grace_s: float  # from the signal until it would be killed
    health: tuple[str, ...] = ()  # the command that asks for its health, if there is one
    probes: tuple[Mapping[str, Any], ...] = ()  # gRPC probes of Kubernetes

    def on_loopback(self, port: int, store_url: str) -> Launch:
        """The same where the loopback is all that there is, with the store of a test."""
        host, _, listens = self.env["AMENDS_LISTEN"].rpartition(":")
        env = {**self.env, "AMENDS_LISTEN": f"127.0.0.1:{port}", "AMENDS_STORE": store_url}
        if host == "0.0.0.0":
            assert self.env["AMENDS_ADVERTISE"].rpartition(":")[2] == listens, (
                "others dial a port that nobody listens on"
            )
            env["AMENDS_ADVERTISE"] = f"127.0.0.1:{port}"
        assert all(str(probe["grpc"]["port"]) == listens for probe in self.probes), "a probe asks another port"
        return dataclasses.replace(self, env=env)


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def kubernetes(service: str, secret: Mapping[str, str], pod: str) -> Launch:
    """A pod of the Deployment, as the kubelet starts its container."""
    deployment = documents(KUBERNETES / f"{service}.yaml")[0]
    (settings,) = documents(KUBERNETES / "settings.yaml")
    template = deployment["spec"]["template"]["spec"]
    (container,) = template["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": settings["metadata"]["name"]}}]
    fields = {"status.podIP": "10.1.2.3", "metadata.name": pod}
    env: dict[str, str] = dict(settings["data"])
    for one in container["env"]:
        source = one.get("valueFrom", {})
        if "fieldRef" in source:
            env[one["name"]] = fields[source["fieldRef"]["fieldPath"]]
        elif "secretKeyRef" in source:
            env[one["name"]] = secret[source["secretKeyRef"]["key"]]
        else:
            env[one["name"]] = _REFERENCE.sub(lambda found: env[found[1]], one["value"])
    waits_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    return Launch(
        pod,
        (*container["command"], *container["args"]),
        env,
        template["terminationGracePeriodSeconds"] - waits_s,
        probes=tuple(container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")),
    )


def compose(service: str, given: Mapping[str, str]) -> Launch:
    """A container of the project, with the image's entry point; `given` is what the file .env says."""
    (project,) = documents(COMPOSE)
    one = project["services"][service]
    test, *health = one["healthcheck"]["test"]
    assert test == "CMD"
    env = {name: _VARIABLE.sub(lambda found: given[found[1]], value) for name, value in one["environment"].items()}
    grace_s = float(one["stop_grace_period"].removesuffix("s"))
    return Launch(env["AMENDS_NAME"], (*image()[1], *one["command"]), env, grace_s, health=tuple(health))


def systemd(service: str, machine: str) -> Launch:
    """A node of the template unit on a machine of this name, with the environment files of the example."""
    found = unit()
    specified = {"%i": service, "%H": machine, "%%": "%"}

    def plain(text: str) -> str:
        return re.sub("%.", lambda one: specified[one[0]], text)

    env = dict(word.split("=", 1) for text in found["Environment"] for word in shlex.split(plain(text)))
    for text in found["EnvironmentFile"]:
        for line in (DEPLOY / "systemd" / Path(plain(text)).name).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.partition("=")
                env[name] = value
    (start,), (grace_s,) = found["ExecStart"], found["TimeoutStopSec"]
    python, *rest = shlex.split(plain(start))
    return Launch(env["AMENDS_NAME"], (Path(python).name, *rest), env, float(grace_s))


def unit() -> dict[str, list[str]]:
    """The settings of the unit, each with all values that it is given, of whichever section."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def image() -> tuple[dict[str, str], list[str]]:
    """What the last stage of the Containerfile copies from the project, by its place there, and the entry point."""
    last = (DEPLOY / "Containerfile").read_text(encoding="utf-8").split("\nFROM ")[-1].splitlines()
    copied = [line.split() for line in last if line.startswith("COPY ") and "--from" not in line]
    (entry,) = [line.removeprefix("ENTRYPOINT ") for line in last if line.startswith("ENTRYPOINT ")]
    return {source: target for _, source, target in copied}, yaml.safe_load(entry)


def lay_out(folder: Path) -> None:
    """Make the image's folder of the application, with exactly what the Containerfile copies."""
    for source, target in image()[0].items():
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, folder / target)
