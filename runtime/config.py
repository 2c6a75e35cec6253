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
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from runtime.errors import InvalidSettings

__all__ = [
    "CONFIG_FILE",
    "ENV_PREFIX",
    "Settings",
    "load_settings",
    "parse_listen",
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
_DAY_S = 86_400.0
_SPAN_MAX_S = 100 * 365.25 * _DAY_S  # a hundred years can be added to any clock
_MIB = 1024 * 1024
_SHOWN_MAX = 80  # characters of a wrong value


def parse_listen(text: str) -> tuple[str, int]:
    """`HOST:PORT` as a pair; an IPv6 host stands in brackets, which stay. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ValueError("must be HOST:PORT with a port from 0 (any free one) to 65535, such as 127.0.0.1:7650")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError("must have brackets around an IPv6 host, such as [::1]:7650")
    return host, int(port)


def wrong_renewal(renew_s: float, lease_s: float) -> str:
    """Why no node can keep a lease of `lease_s` by renewing it every `renew_s`; empty when it can."""
    if 0 < renew_s <= lease_s / 3 * (1 + 1e-9):  # a third as written: 0.1 of 0.3
        return ""
    return (
        f"renew_s={renew_s:g} must be positive and at most a third of lease_s={lease_s:g}, "
        "so that one late renewal loses no lease"
    )


def _listen(text: str) -> str:
    parse_listen(text)
    return text


def _advertise(text: str) -> str:
    """Empty for the address listened on; else one that others can dial."""
    if not text:
        return text
    host, port = parse_listen(text)
    if port == 0:
        raise ValueError("must name the port that others dial; 0 is none")
    if host in ("0.0.0.0", "[::]"):
        raise ValueError("must name a host that others can dial; this one means all of a machine's own")
    return text


def _store(text: str) -> str:
    scheme, separator, _ = text.partition(":")
    if not separator or not scheme.isidentifier():
        raise ValueError("must be a URL of a store, such as sqlite:///amends.db")
    return text


def _name(text: str) -> str:
    if len(text) > 200 or any(char in "/#@" or not char.isprintable() for char in text):
        raise ValueError("must be up to 200 printable characters without / # @")
    return text


def _names(value: object) -> object:
    """A comma-separated text, as an environment variable gives it, as a tuple."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _number(value: object) -> object:
    """`true` in a file is no number, though Python takes it for 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


_Number = BeforeValidator(_number)
_Finite = Field(allow_inf_nan=False)
Seconds = Annotated[float, _Number, _Finite, Field(gt=0, le=_SPAN_MAX_S)]
Count = Annotated[int, _Number, Field(ge=1, le=1_000_000)]


class Settings(BaseSettings):
    """What one node is told. Frozen; durations in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=ENV_PREFIX)

    services: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = ()  # empty: all of the catalogue
    store: Annotated[str, AfterValidator(_store)] = "sqlite:///amends.db"
    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:7650"  # one port for clients, operators and peers
    advertise: Annotated[str, AfterValidator(_advertise)] = ""  # what others dial instead, behind NAT or a proxy
    name: Annotated[str, AfterValidator(_name)] = ""  # empty: derived, see node_name

    lease_s: Seconds = 1.5  # a node that did not renew for so long is taken over
    renew_s: Seconds = 0.4
    node_deaths_max: Count = 3  # a message that so many nodes may have died over is parked
    handler_timeout_s: Seconds = 60.0  # a handler that waits for longer is cancelled: a failed run
    version_wait_s: Seconds = _DAY_S  # mail of a saga whose version no node has is parked after so long
    clock_skew_max_s: Seconds = 2.0  # a wall clock further off is reported, and nothing goes by it
    sweep_s: Seconds = 1.0  # how often mail is looked for that nobody pushed
    drain_s: Annotated[float, _Number, _Finite, Field(ge=0, le=_SPAN_MAX_S)] = (
        10.0  # how long a stopping node finishes its work
    )
    idle_s: Seconds = 10.0  # an actor without mail for so long leaves memory
    retention_s: Seconds = 7 * _DAY_S  # how long ended conversations, and with them deduplication, are kept

    shards_per_kind: Annotated[int, _Number, Field(ge=1, le=4096)] = 16  # fixed for the life of a store
    message_bytes_max: Annotated[int, _Number, Field(ge=1024, le=64 * _MIB)] = _MIB
    mailbox_max: Count = 1000
    turn_messages_max: Count = 64
    turn_bytes_max: Annotated[int, _Number, Field(ge=1024, le=512 * _MIB)] = _MIB
    state_bytes_max: Annotated[int, _Number, Field(ge=1024, le=512 * _MIB)] = (
        16 * _MIB
    )  # of one actor; more fails its handler
    activations_max: Count = 5000

    log_format: Annotated[Literal["auto", "console", "json"], BeforeValidator(_lower)] = "auto"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"

    @model_validator(mode="after")
    def _lease_outlives_renewal(self) -> Self:
        if wrong := wrong_renewal(self.renew_s, self.lease_s):
            raise ValueError(wrong)
        return self

    @property
    def node_name(self) -> str:
        """The name, or one derived from services and address: `billing-7651`, the same after a restart."""
        if self.name:
            return self.name
        host, port = parse_listen(self.listen)
        what = "-".join(self.services) or "node"
        where = "" if host in ("127.0.0.1", "localhost", "[::1]") else f"-{socket.gethostname()}"
        return f"{what}{where}-{port or os.getpid()}"[:200]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Settings(...) depends on its arguments alone; `load_settings` is what reads the world."""
        return (init_settings,)


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
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise InvalidSettings(_explain(error, merged, origin)) from error


def strange_variables() -> tuple[str, ...]:
    """Variables that begin like a setting and are none, nor anything else of ours; they have no effect."""
    return tuple(variable for variable, name in _variables() if name not in {*Settings.model_fields, *_NOT_OF_A_NODE})


def _variables() -> list[tuple[str, str]]:
    """Those that begin with our prefix, in any case as they are read, and their names without it."""
    ours = [variable for variable in sorted(os.environ) if variable.upper().startswith(ENV_PREFIX)]
    return [(variable, variable[len(ENV_PREFIX) :].lower()) for variable in ours]


def _from_environment() -> dict[str, Any]:
    known = Settings.model_fields
    strange = set(strange_variables())
    for variable, name in _variables():
        meant = difflib.get_close_matches(name, (*known, "config"), n=1, cutoff=_CLOSE)
        if variable in strange and meant and not _OF_AN_ORCHESTRATOR.fullmatch(name):
            raise InvalidSettings(
                f"environment variable {variable} is no setting; did you mean {ENV_PREFIX}{meant[0].upper()}? "
                f"There are: {_known(ENV_PREFIX)}"
            )
    return {name: value for name, value in EnvSettingsSource(Settings)().items() if name in known}


def _from_file(path: Path, *, required: bool) -> dict[str, Any]:
    if not required and not path.exists():
        return {}
    try:
        if required and not path.is_file():
            raise InvalidSettings(f"settings file {path} does not exist")
        return dict(TomlConfigSettingsSource(Settings, path)())
    except OSError as error:
        raise InvalidSettings(f"settings file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise InvalidSettings(f"settings file {path} is no TOML: {error}") from error


def _explain(error: ValidationError, values: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    """Every mistake on a line of its own."""
    return "\n".join(_one(detail, values, origin) for detail in error.errors(include_url=False))


def _one(detail: Any, values: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    why = str(detail["msg"]).removeprefix("Value error, ")
    if not detail["loc"]:
        return f"settings do not fit together: {why}"
    name = str(detail["loc"][0])
    if detail["type"] == "extra_forbidden":
        return f"unknown setting {name} ({origin.get(name, 'flag')}); there are: {_known('')}"
    return f"setting {name}={_shown(values.get(name))} ({origin.get(name, 'default')}) is wrong: {why}"


def _shown(value: object) -> str:
    """The value as it was given, and no more of it than a line."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def _known(prefix: str) -> str:
    return ", ".join(prefix + (name.upper() if prefix else name) for name in Settings.model_fields)
