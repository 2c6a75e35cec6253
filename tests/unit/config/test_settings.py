"""Settings come from the first source that names them, and a wrong one is named with its source."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import timedelta
from pathlib import Path

import pytest

from runtime.cluster.lease import ClusterSettings
from runtime.config import SETTINGS, Settings, load_settings, settings_of, strange_variables
from runtime.errors import InvalidSettings


@pytest.fixture(autouse=True)
def _bare_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in [name for name in os.environ if name.startswith("AMENDS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)


def test_without_any_source_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings == Settings()
    assert (settings.services, settings.store, settings.listen) == ((), "sqlite:///amends.db", "127.0.0.1:7650")
    assert settings.message_bytes_max == 1024 * 1024
    assert settings.retention_s == 7 * 24 * 3600


def test_a_flag_beats_the_environment_which_beats_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("amends.toml").write_text('lease_s = 8.0\nsweep_s = 8.0\nidle_s = 8.0\nservices = ["sales", "billing"]\n')
    monkeypatch.setenv("AMENDS_LEASE_S", "5")
    monkeypatch.setenv("AMENDS_SWEEP_S", "5")
    settings = load_settings({"lease_s": 3.0, "idle_s": None})
    assert (settings.lease_s, settings.sweep_s, settings.idle_s) == (3.0, 5.0, 8.0)
    assert settings.services == ("sales", "billing")


def test_a_file_named_by_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("mailbox_max = 7\n")
    monkeypatch.setenv("AMENDS_CONFIG", "other.toml")
    assert load_settings().mailbox_max == 7


def test_no_services_on_the_command_line_leave_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENDS_SERVICES", "sales, billing")
    assert load_settings({"services": ()}).services == ("sales", "billing")


def test_no_hop_at_all_may_begin_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENDS_TRACE_APART", "")
    assert load_settings().trace_apart == ()
    monkeypatch.setenv("AMENDS_TRACE_APART", "timer, retry")
    assert load_settings().trace_apart == ("timer", "retry")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().lease_s = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        ({"lease_s": -1.0}, ("lease_s=-1.0", "flag", "greater than 0")),
        ({"lease_s": float("nan")}, ("lease_s=nan", "flag", "finite")),
        ({"listen": "7650"}, ("listen='7650'", "flag", "HOST:PORT")),
        ({"listen": "localhost:99999"}, ("listen='localhost:99999'", "flag", "65535")),
        ({"listen": "::1:7650"}, ("listen='::1:7650'", "flag", "brackets")),
        ({"advertise": "node-1"}, ("advertise='node-1'", "flag", "HOST:PORT")),
        ({"advertise": "node-1:0"}, ("advertise='node-1:0'", "flag", "the port that others dial")),
        ({"advertise": "0.0.0.0:7650"}, ("advertise='0.0.0.0:7650'", "flag", "a host that others can dial")),
        ({"store": "amends.db"}, ("store='amends.db'", "flag", "sqlite:///amends.db")),
        ({"name": "a/b"}, ("name='a/b'", "flag", "without / # @")),
        ({"message_bytes_max": 1}, ("message_bytes_max=1", "flag", "1024")),
        ({"log_level": "chatty"}, ("log_level='chatty'", "flag", "'debug', 'info', 'warning' or 'error'")),
        ({"trace_endpoint": "127.0.0.1:4317"}, ("trace_endpoint='127.0.0.1:4317'", "flag", "http://127.0.0.1:4317")),
        ({"trace_endpoint": "http://a/v1/traces"}, ("trace_endpoint=", "flag", "http://HOST:PORT")),
        ({"trace_ratio": 1.5}, ("trace_ratio=1.5", "flag", "a number from 0 to 1")),
        ({"trace_ratio": float("nan")}, ("trace_ratio=nan", "flag", "a number from 0 to 1")),
        ({"trace_apart": "timer, undo"}, ("trace_apart='timer, undo'", "flag", "number 2 is none of them")),
        ({"mailbox": 3}, ("unknown setting mailbox", "flag", "mailbox_max")),
    ],
)
def test_a_wrong_flag_is_named_with_value_and_what_is_allowed(flags: dict[str, object], names: tuple[str, ...]) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(flags)
    assert all(name in str(caught.value) for name in names), str(caught.value)


def test_every_mistake_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("amends.toml").write_text("turn_messages_max = 0\n")
    monkeypatch.setenv("AMENDS_IDLE_S", "soon")
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert "idle_s='soon' (environment)" in str(caught.value)
    assert "turn_messages_max=0 (file amends.toml)" in str(caught.value)


def test_a_renewal_that_comes_too_rarely_for_the_lease_is_refused() -> None:
    with pytest.raises(InvalidSettings, match=r"renew_s=1 must be positive and at most a third of lease_s=1\.5"):
        load_settings({"renew_s": 1.0})


@pytest.mark.parametrize(
    ("renew_s", "lease_s"), [(0.7, 1.5), (0.51, 1.5), (0.5, 1.5), (0.1, 0.3), (20.0, 60.0), (1.0, 2.9)]
)
def test_settings_and_membership_agree_on_how_often_a_lease_is_renewed(renew_s: float, lease_s: float) -> None:
    def is_refused(make: Callable[[], object]) -> bool:
        try:
            make()
        except InvalidSettings:
            return True
        return False

    by_settings = is_refused(lambda: load_settings({"renew_s": renew_s, "lease_s": lease_s}))
    by_membership = is_refused(lambda: ClusterSettings(lease_s=lease_s, renew_s=renew_s))
    assert by_settings == by_membership == (renew_s * 3 > lease_s + 1e-6)


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("AMENDS_LEASE", "AMENDS_LEASE_S"),
        ("AMENDS_STROE", "AMENDS_STORE"),
        ("AMENDS_LISTEN_", "AMENDS_LISTEN"),
        ("AMENDS_SERVICE", "AMENDS_SERVICES"),
        ("AMENDS_LOG_LEVLE", "AMENDS_LOG_LEVEL"),
        ("AMENDS_MESSAGE_BYTES", "AMENDS_MESSAGE_BYTES_MAX"),
        ("AMENDS_CONFG", "AMENDS_CONFIG"),
        ("amends_drain", "AMENDS_DRAIN_S"),
    ],
)
def test_a_misspelt_environment_variable_is_refused(variable: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "3")
    with pytest.raises(InvalidSettings, match=rf"{variable} is no setting; did you mean {meant}\?"):
        load_settings()


@pytest.mark.parametrize("variable", ["AMENDS_NODE", "AMENDS_CONTRACTS"])
def test_what_our_other_programs_are_told_is_no_mistake(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "127.0.0.1:7650")
    assert load_settings() == Settings()
    assert strange_variables() == ()


@pytest.mark.parametrize("service", ["", "STORE_", "LOG_", "NODE_NAME_", "LISTEN_"])
def test_what_an_orchestrator_says_of_its_services_has_no_effect(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "SERVICE_HOST": "10.0.0.1",
        "SERVICE_PORT": "7650",
        "SERVICE_PORT_GRPC": "7650",
        "PORT": "tcp://10.0.0.1:7650",
        "PORT_7650_TCP": "tcp://10.0.0.1:7650",
        "PORT_7650_TCP_PROTO": "tcp",
        "PORT_7650_TCP_PORT": "7650",
        "PORT_7650_TCP_ADDR": "10.0.0.1",
        "ENV_STORE": "of a linked container",
    }
    for name, value in told.items():
        monkeypatch.setenv(f"AMENDS_{service}{name}", value)
    assert load_settings() == Settings()
    assert set(strange_variables()) == {f"AMENDS_{service}{name}" for name in told}


@pytest.mark.parametrize("variable", ["AMENDS_HOME", "AMENDS_VERSION", "AMENDS_BUILD", "AMENDS_TEST_DIR"])
def test_a_variable_of_somebody_elses_is_passed_over_and_named(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "x")
    assert load_settings() == Settings()
    assert strange_variables() == (variable,)


def test_an_unknown_key_of_the_file_is_refused() -> None:
    Path("amends.toml").write_text("leese_s = 3\n")
    with pytest.raises(InvalidSettings, match=r"unknown setting leese_s \(file amends.toml\)"):
        load_settings()


def test_a_file_that_is_no_toml_is_refused() -> None:
    Path("amends.toml").write_text("lease_s is three\n")
    with pytest.raises(InvalidSettings, match=r"amends\.toml is no TOML"):
        load_settings()


def test_a_file_that_was_asked_for_must_exist() -> None:
    with pytest.raises(InvalidSettings, match=r"missing\.toml does not exist"):
        load_settings(config="missing.toml")


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({"listen": "127.0.0.1:7651", "services": ("billing",)}, "billing-7651"),
        ({"listen": "localhost:7652"}, "node-7652"),
        ({"listen": "127.0.0.1:7651", "name": "left"}, "left"),
    ],
)
def test_a_node_has_the_same_name_after_a_restart(flags: dict[str, object], name: str) -> None:
    assert load_settings(flags).node_name == name
    assert load_settings(flags).node_name == name


_SPANS = [name for name, field in SETTINGS.items() if field.type == "float"]
_COUNTS = [name for name, field in SETTINGS.items() if field.type == "int"]
_NO_NUMBERS = ["true", "-1", "nan", "inf", "1e300", "'x'", "[1]", "2020-01-01"]


@pytest.mark.parametrize("name", [*_SPANS, *_COUNTS])
@pytest.mark.parametrize("written", _NO_NUMBERS)
def test_a_number_that_no_node_can_live_by_is_refused(name: str, written: str) -> None:
    Path("amends.toml").write_text(f"{name} = {written}\n")
    with pytest.raises(InvalidSettings, match=rf"setting {name}=.* \(file amends.toml\) is wrong: "):
        load_settings()


@pytest.mark.parametrize("name", _COUNTS)
def test_a_count_of_millions_is_refused_for_what_is_counted_by_ones(name: str) -> None:
    with pytest.raises(InvalidSettings, match=rf"setting {name}=1(0|\.)+ \(flag\) is wrong: "):
        load_settings({name: 10**70})


@pytest.mark.parametrize("length", [100, 5000])
def test_a_number_of_very_many_digits_is_refused_and_not_told_in_full(length: int) -> None:
    Path("amends.toml").write_text(f"mailbox_max = {'9' * length}\n")
    with pytest.raises(InvalidSettings, match="setting") as refused:
        load_settings()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("lease_s = 0", ("lease_s=0 (file amends.toml)", "a number of seconds greater than 0")),
        ("drain_s = -0.5", ("drain_s=-0.5 (file amends.toml)", "seconds that is 0 or more")),
        ("sweep_s = true", ("sweep_s=True (file amends.toml)", "a number, not true or false")),
        ("idle_s = 1e10", ("idle_s=10000000000.0 (file amends.toml)", "a hundred years")),
        ("mailbox_max = 7.5", ("mailbox_max=7.5 (file amends.toml)", "a whole number from 1 to 1000000")),
        ("message_bytes_max = 1", ("message_bytes_max=1 (file amends.toml)", "of bytes from 1024 to 67108864")),
        ("store = 3", ("store=3 (file amends.toml)", "a text")),
        ("services = [1]", ("services=[1] (file amends.toml)", "a list of names")),
        ("log_format = 3", ("log_format=3 (file amends.toml)", "'auto', 'console' or 'json'")),
        ("[store]\nurl = 'x'", ("store={'url': 'x'} (file amends.toml)", "a text")),
    ],
)
def test_a_wrong_value_of_a_file_is_named_with_its_source_and_what_is_allowed(
    written: str, names: tuple[str, ...]
) -> None:
    Path("amends.toml").write_text(written)
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert all(name in str(caught.value) for name in names), str(caught.value)


@pytest.mark.parametrize(("text", "expected"), [("7", 7), (" 7 ", 7), ("1_000", 1000)])
def test_a_count_is_read_from_text(text: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENDS_MAILBOX_MAX", text)
    assert load_settings().mailbox_max == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("mailbox_max", 7.0, 7), ("log_level", "DEBUG", "debug"), ("drain_s", 0, 0.0), ("idle_s", "2.5", 2.5)],
)
def test_a_value_is_kept_in_the_type_of_its_setting(name: str, value: object, expected: object) -> None:
    kept = getattr(load_settings({name: value}), name)
    assert kept == expected and type(kept) is type(expected)


def test_a_program_may_say_durations_as_timedeltas() -> None:
    settings = Settings(retention_s=timedelta(days=2), sweep_s=timedelta(milliseconds=250))  # type: ignore[arg-type]
    assert (settings.retention_s, settings.sweep_s) == (172_800.0, 0.25)
    with pytest.raises(InvalidSettings, match=r"lease_s=datetime.timedelta\(0\) \(argument\) is wrong"):
        settings_of({"lease_s": timedelta(0)})


def test_a_program_is_told_all_its_mistakes_at_once() -> None:
    with pytest.raises(InvalidSettings) as caught:
        Settings(lease_s=-1.0, mailbox_max=0, log_level="chatty")  # type: ignore[arg-type]
    assert [line.partition(" (")[0] for line in str(caught.value).splitlines()] == [
        "setting lease_s=-1.0",
        "setting mailbox_max=0",
        "setting log_level='chatty'",
    ]


def test_settings_that_do_not_fit_together_are_named_with_their_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENDS_RENEW_S", "1")
    with pytest.raises(InvalidSettings, match=r"fit together: .*\(renew_s: environment, lease_s: default\)"):
        load_settings()


@pytest.mark.parametrize("content", [b"store = '\xff'", b"a = " + b"[" * 100_000])
def test_a_file_that_nobody_can_read_is_refused(content: bytes) -> None:
    Path("amends.toml").write_bytes(content)
    with pytest.raises(InvalidSettings, match=r"settings file amends\.toml is no TOML"):
        load_settings()
