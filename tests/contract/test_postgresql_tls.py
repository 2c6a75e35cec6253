"""A store on a PostgreSQL that is reached by TLS alone: who it is, is verified, and nothing goes in the clear."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreUnavailable
from runtime.store.open import open_store
from runtime.store.records import Verdict
from runtime.testing.conformance.samples import mail_row, post
from runtime.testing.processes.postgresql.server import PostgresServer
from tests.contract.certificates import Authority
from tests.contract.debian import system_programs

PROGRAMS = system_programs()
pytestmark = pytest.mark.skipif(
    PROGRAMS is None or shutil.which("openssl") is None,
    reason="the server of the wheel has no TLS: apt-get install postgresql openssl",
)
TLS_ALONE = b"local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
ENCRYPTED = "SELECT count(*) > 0 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
NODES = " WHERE application_name LIKE 'amends%'"


@dataclass(frozen=True)
class Secured:
    server: PostgresServer
    trusted: Path  # the certificate of whoever signed the server's
    other: Path

    def url(self, **options: object) -> str:
        pairs = "&".join(f"{name}={value}" for name, value in options.items())
        return f"{self.server.url}?{pairs}"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    authority, other = Authority(folder, "trusted"), Authority(folder, "other")
    server = PostgresServer("secured", programs=PROGRAMS)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(server.start())
        present(server, authority, "IP:127.0.0.1")
        server.put("pg_hba.conf", TLS_ALONE)
        settings = {"ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key"}
        loop.run_until_complete(server.restart(settings))
        yield Secured(server, authority.certificate, other.certificate)
    finally:
        loop.close()
        server.close()


def present(server: PostgresServer, authority: Authority, name: str) -> None:
    """Has the server present a certificate for this name, from its next start on."""
    certificate, key = authority.sign(name)
    server.put("server.crt", certificate)
    server.put("server.key", key)


async def test_a_server_that_is_who_it_says_gets_nothing_in_the_clear(secured: Secured) -> None:
    store = open_store(secured.url(sslmode="verify-full", sslrootcert=secured.trusted), system_ports())
    await store.open()
    try:
        assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]
        assert await secured.server.sql(ENCRYPTED + NODES) == "t"
    finally:
        await store.close()


async def refused(url: str, telling: str) -> None:
    store = open_store(f"{url}&reconnect_s=0.01", system_ports())
    with pytest.raises(StoreUnavailable, match=telling) as caught:
        await store.open()
    assert caught.value.__cause__ is not None


async def test_a_server_with_a_certificate_of_somebody_else_is_refused(secured: Secured) -> None:
    url = secured.url(sslmode="verify-full", sslrootcert=secured.other)
    await refused(url, "check sslmode and sslrootcert.*certificate verify failed")


async def test_a_connection_in_the_clear_is_refused_by_the_server(secured: Secured) -> None:
    await refused(secured.url(sslmode="disable"), "check user, password and pg_hba.conf.*no encryption")


async def test_a_server_with_a_certificate_for_another_host_is_refused(secured: Secured, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "trusted")
    present(secured.server, authority, "DNS:db.example")
    await secured.server.restart()
    url = secured.url(sslmode="verify-full", sslrootcert=authority.certificate)
    await refused(url, "check sslmode and sslrootcert.*IP address mismatch")
    store = open_store(secured.url(sslmode="verify-ca", sslrootcert=authority.certificate), system_ports())
    await store.open()  # As it was told not to look at the name.
    await store.close()
