"""The settings of a node, each from the first source that names it: flag, environment, file, default.

    flag --lease-s 2  >  AMENDS_LEASE_S=2  >  lease_s = 2 in amends.toml  >  default

A wrong value never starts a node: InvalidSettings names the setting, the source, the value, and what is allowed. Of the
environment, which a node shares with its orchestrator and with our other programs, only what looks like a misspelt
setting is refused; `strange_variables` names the rest.
"""

from __future__ import annotations

import difflib
import os
import re
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from runtime.durations import shown
from runtime.errors import InvalidSettings
from runtime.setting import DAY_S, Count, Names, OneOf, Seconds, Share, Some, Text, rule_of, setting
from runtime.store_url import without_password, without_passwords
from runtime.text_rules import (
    advertised,
    collector_url,
    header_name,
    listen_or_nowhere,
    parse_listen,
    plain_name,
    some_path,
    store_url,
    wrong_reach,
)

__all__ = [
    "CONFIG_FILE",
    "ENV_PREFIX",
    "SETTINGS",
    "Settings",
    "load_settings",
    "settings_of",
    "strange_variables",
    "wrong_renewal",
]

CONFIG_FILE = "amends.toml"
ENV_PREFIX = "AMENDS_"
_NOT_OF_A_NODE = frozenset({"config", "node", "contracts"})  # names the file; of the client; of the operator
_CLOSE = 0.75  # LEASE is as close to LEASE_S as 0.83, SERVICE_HOST to SERVICES as 0.7
_OF_AN_ORCHESTRATOR = re.compile(  # what Kubernetes and Docker say of a service named amends, or amends-store
    r"(.+_)?(service_host|service_port(_.+)?|port(_\d+_(tcp|udp|sctp)(_(proto|port|addr))?)?|env_.+)"
)
_MIB = 1024 * 1024
_HOPS = ("timer", "retry", "delay", "act", "subscriber")  # as in runtime/durable/traces/tracing.py
_SHOWN_MAX = 80  # characters of a wrong value
_ARGUMENT = "argument"  # the source of what a program says


def wrong_renewal(renew_s: float, lease_s: float) -> str:
    """Why no node can keep a lease of `lease_s` by renewing it every `renew_s`; empty when it can."""
    if 0 < renew_s <= lease_s / 3 * (1 + 1e-9):  # a third as written: 0.1 of 0.3
        return ""
    return (
        f"renew_s={renew_s:g} must be positive and at most a third of lease_s={lease_s:g}, "
        "so that one late renewal loses no lease"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one node is told. Durations are seconds, or timedeltas where a program makes it; sizes are bytes.

    Raises InvalidSettings, with a line for each mistake.
    """

    services: tuple[str, ...] = setting((), Names())  # empty: all of the catalogue
    store: str = setting("sqlite:///amends.db", Text(store_url), secret=True)  # may hold a password: see shown_store
    listen: str = setting("127.0.0.1:7650", Text(parse_listen))  # one port for clients, operators and peers
    advertise: str = setting("", Text(advertised))  # what others dial instead, behind NAT or a proxy
    name: str = setting("", Text(plain_name))  # empty: derived, see node_name

    lease_s: float = setting(1.5, Seconds())  # a node that did not renew for so long is taken over
    renew_s: float = setting(0.4, Seconds())
    node_deaths_max: int = setting(3, Count())  # a message that so many nodes may have died over is parked
    pause_after: int = setting(50, Count(0))  # a kind that fails so many sagas in a row is paused; 0: never
    handler_timeout_s: float = setting(60.0, Seconds())  # a handler that waits for longer is cancelled: a failed run
    version_wait_s: float = setting(DAY_S, Seconds())  # mail of a saga whose version no node has is parked after that
    clock_skew_max_s: float = setting(2.0, Seconds())  # a wall clock further off is reported, and nothing goes by it
    backlog_max: int = setting(5000, Count(0, 8000))  # mail that waits; beyond it new commands are refused. 0: never
    sweep_s: float = setting(1.0, Seconds())  # how often mail is looked for that nobody pushed
    drain_s: float = setting(10.0, Seconds(or_zero=True))  # how long a stopping node finishes its work
    idle_s: float = setting(10.0, Seconds())  # an actor without mail for so long leaves memory
    retention_s: float = setting(7 * DAY_S, Seconds())  # how long ended conversations, and deduplication, are kept

    shards_per_kind: int = setting(16, Count(most=4096))  # fixed for the life of a store
    message_bytes_max: int = setting(_MIB, Count(1024, 64 * _MIB, "bytes"))
    mailbox_max: int = setting(1000, Count())
    turn_messages_max: int = setting(64, Count())
    chain_messages_max: int = setting(256, Count(0))
    turn_bytes_max: int = setting(_MIB, Count(1024, 512 * _MIB, "bytes"))
    state_bytes_max: int = setting(16 * _MIB, Count(1024, 512 * _MIB, "bytes"))  # of one actor; more fails its handler
    activations_max: int = setting(5000, Count())

    admin_listen: str = setting(
        "", Text(listen_or_nowhere)
    )  # where operators' programs call AdminService; empty: nowhere
    admin_acts: Literal["deny", "allow"] = setting("deny", OneOf(("deny", "allow")))  # whether they may act
    admin_reach: Literal["loopback", "any"] = setting("loopback", OneOf(("loopback", "any")))  # of admin_listen
    admin_operators: str = setting("", Text(some_path))  # a file of who may call AdminService; empty: it asks nobody
    admin_proxy_header: str = setting("", Text(header_name))  # by which a proxy on this machine names who calls

    monitor_listen: str = setting("", Text(listen_or_nowhere))  # /livez, /readyz and /metrics by HTTP; empty: nowhere
    page_listen: str = setting("", Text(listen_or_nowhere))  # the operator's page, on the loopback; empty: nowhere

    trace_endpoint: str = setting("", Text(collector_url))  # who takes traces, by OTLP over gRPC; empty: nobody
    trace_ratio: float = setting(1.0, Share())  # of all conversations, by their ids: one is traced whole or not at all
    trace_apart: tuple[str, ...] = setting(_HOPS, Some(_HOPS))  # what begins a trace of its own, with a link

    log_format: Literal["auto", "console", "json"] = setting("auto", OneOf(("auto", "console", "json")))
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", OneOf(("debug", "info", "warning", "error"))
    )

    def __post_init__(self) -> None:
        for name, value in _checked({name: getattr(self, name) for name in SETTINGS}, {}).items():
            object.__setattr__(self, name, value)

    @property
    def shown_store(self) -> str:
        """The store's URL without its password, for whatever people read."""
        return without_password(self.store)

    @property
    def node_name(self) -> str:
        """The name, or one derived from services and address: `billing-7651`, the same after a restart."""
        if self.name:
            return self.name
        host, port = parse_listen(self.listen)
        what = "-".join(self.services) or "node"
        where = "" if host in ("127.0.0.1", "localhost", "[::1]") else f"-{socket.gethostname()}"
        return f"{what}{where}-{port or os.getpid()}"[:200]


SETTINGS: Mapping[str, Field[Any]] = MappingProxyType({one.name: one for one in fields(Settings)})
"""By name, with their defaults."""


def settings_of(values: Mapping[str, Any], origin: Mapping[str, str] | None = None) -> Settings:
    """Settings with these values, from the sources in `origin`. Raises InvalidSettings, a line for each mistake."""
    return Settings(**_checked(values, origin or {}))


def _checked(values: Mapping[str, Any], origin: Mapping[str, str]) -> dict[str, Any]:
    """The values as their rules read them. Raises InvalidSettings with every mistake on a line of its own."""
    read: dict[str, Any] = {}
    wrong: list[str] = []
    for name, value in values.items():
        source = origin.get(name, _ARGUMENT)
        if name not in SETTINGS:
            wrong.append(f"unknown setting {name} ({source}); there are: {_known('')}")
            continue
        try:
            read[name] = rule_of(SETTINGS[name]).read(value)
        except ValueError as error:
            told = without_password(value) if name == "store" and isinstance(value, str) else value
            wrong.append(f"setting {name}={_shown(told)} ({source}) is wrong: {error}")
    if not wrong:
        pair = {name: read.get(name, SETTINGS[name].default) for name in ("renew_s", "lease_s")}
        if why := wrong_renewal(**pair):
            told = [f"{name}: {origin.get(name, _ARGUMENT if name in read else 'default')}" for name in pair]
            wrong.append(f"settings do not fit together: {why} ({', '.join(told)})")
        if read.get("admin_proxy_header") and not read.get("admin_operators"):
            source = origin.get("admin_proxy_header", _ARGUMENT)
            wrong.append(f"setting admin_proxy_header ({source}) needs admin_operators, the file of who may call")
        if (listen := read.get("admin_listen")) and (why := wrong_reach(listen, read.get("admin_reach"))):
            source = origin.get("admin_listen", _ARGUMENT)
            wrong.append(f"setting admin_listen={_shown(listen)} ({source}) is wrong: {why}")
    if wrong:
        raise InvalidSettings("\n".join(wrong))
    return read


def load_settings(flags: Mapping[str, Any] | None = None, *, config: str | Path | None = None) -> Settings:
    """The settings of this process. A flag that is None, or an empty list of services, was not given.

    `config` names a TOML file that must exist; without it AMENDS_CONFIG does, and without that `amends.toml` is read
    if it is there. Raises InvalidSettings.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None and value != ()}
    path = config or os.environ.get(f"{ENV_PREFIX}CONFIG") or None
    sources = (
        ("flag", given),
        ("environment", _from_environment()),
        (f"file {path or CONFIG_FILE}", _from_file(Path(path or CONFIG_FILE), required=path is not None)),
    )
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for source, values in reversed(sources):
        merged.update(values)
        origin.update(dict.fromkeys(values, source))
    return settings_of(merged, origin)


def strange_variables() -> tuple[str, ...]:
    """Variables that begin like a setting and are none, nor anything else of ours; they have no effect."""
    return tuple(variable for variable, name in _variables() if name not in {*SETTINGS, *_NOT_OF_A_NODE})


def _variables() -> list[tuple[str, str]]:
    """Those that begin with our prefix, in any case as they are read, and their names without it."""
    ours = [variable for variable in sorted(os.environ) if variable.upper().startswith(ENV_PREFIX)]
    return [(variable, variable[len(ENV_PREFIX) :].lower()) for variable in ours]


def _from_environment() -> dict[str, Any]:
    strange = set(strange_variables())
    for variable, name in _variables():
        meant = difflib.get_close_matches(name, (*SETTINGS, "config"), n=1, cutoff=_CLOSE)
        if variable in strange and meant and not _OF_AN_ORCHESTRATOR.fullmatch(name):
            raise InvalidSettings(
                f"environment variable {variable} is no setting; did you mean {ENV_PREFIX}{meant[0].upper()}? "
                f"There are: {_known(ENV_PREFIX)}"
            )
    return {name: os.environ[variable] for variable, name in _variables() if name in SETTINGS}


def _from_file(path: Path, *, required: bool) -> dict[str, Any]:
    if not required and not path.exists():
        return {}
    try:
        if required and not path.is_file():
            raise InvalidSettings(f"settings file {path} does not exist")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"settings file {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise InvalidSettings(f"settings file {path} is no TOML: {error}") from error


def _shown(value: object) -> str:
    """The value as it was given, and no more of it than a line."""
    try:
        text = repr(value) if isinstance(value, str | int) else shown(value)
    except ValueError:
        return "a number of thousands of digits"
    text = without_passwords(text)  # which may have come to the wrong setting
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def _known(prefix: str) -> str:
    return ", ".join(prefix + (name.upper() if prefix else name) for name in SETTINGS)
