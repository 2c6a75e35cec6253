"""A PostgreSQL server of one's own, for tests and demos. It can be restarted, killed, frozen and copied to a standby.

    async with PostgresServer() as server:
        url = await server.create_database()     # postgresql://postgres:...@127.0.0.1:40123/test_1
        await server.restart()                   # every connection breaks
        server.kill()                            # as if its machine lost power; `start` recovers what was committed
        standby = await server.standby("second") # a copy that follows it
        await standby.promote()

The server listens on a port of the loopback that stays its own, with a password made for it. It writes to
disk as a server in use does. Its folder goes when it is closed. No server outlives the process that started it. Under
root it runs as the user nobody, as PostgreSQL refuses root.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from runtime.errors import InvalidSettings
from runtime.testing.processes.family import freeze_family, kill_family, thaw_family
from runtime.testing.processes.port import reserved_port
from runtime.testing.processes.postgresql.programs import Programs, installed_programs
from runtime.testing.processes.process import NodeProcess, ProcessFailed, launch
from runtime.testing.processes.system_user import folder_for, user_but_root

__all__ = ["PostgresServer"]

_ADMIN = "postgres"
_POLL_S = 0.005
_PROGRAM_S = 60.0
_START_S = 60.0
_STOP_S = 60.0
_STATUS_LINE = 7  # Of postmaster.pid, counted from 0: how far the server has come.
_READY = "ready"
_SETTINGS = {"listen_addresses": "127.0.0.1", "max_connections": 200, "shared_buffers": "32MB"}


class PostgresServer:
    """One server with its data, which may be started several times. `async with` starts and closes it."""

    def __init__(
        self,
        name: str = "postgresql",
        *,
        settings: Mapping[str, object] | None = None,
        programs: Programs | None = None,
        say: Callable[[str], object] | None = None,
    ) -> None:
        """`settings` are those of postgresql.conf. `say` is told what takes long, in a few words.

        Raises InvalidSettings if PostgreSQL is not installed.
        """
        self.name = name
        self._user = user_but_root()
        self._source = programs or installed_programs()
        self.directory = folder_for(self._user, f"amends-{name}-")
        self._programs = self._source.for_user(self._user, self.directory / "programs")
        self._port = reserved_port()
        self._password = secrets.token_hex(16)
        self._settings = {**_SETTINGS, **(settings or {})}
        self._say = say or _silent
        self._databases = 0
        self._process: NodeProcess | None = None
        (self.directory / "logs").mkdir()

    async def __aenter__(self) -> Self:
        try:
            if not self.alive:  # A standby runs already.
                await self.start()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    # --- what it is ---

    @property
    def data(self) -> Path:
        """The folder of its files."""
        return self.directory / "data"

    @property
    def address(self) -> str:
        """The host:port at which it listens, or would."""
        return "{}:{}".format(*self._port.getsockname())

    @property
    def url(self) -> str:
        """The URL of its own database, as its administrator."""
        return self.url_of(_ADMIN)

    def url_of(self, database: str, *, address: str = "") -> str:
        """The URL of a database, as its administrator. An `address` of host:port is that of a proxy in front."""
        return f"postgresql://{_ADMIN}:{self._password}@{address or self.address}/{database}"

    @property
    def version(self) -> tuple[int, ...]:
        return self._programs.version()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def pid(self) -> int:
        """The process that all others of this server descend from."""
        return self._running().pid

    def output(self) -> str:
        """All that it has logged."""
        return "" if self._process is None else self._process.output()

    # --- what becomes of it ---

    async def start(self) -> None:
        """Starts it, with new data if it has none. Returns once it takes connections.

        Raises ProcessFailed with its log if it ends instead, or is not ready within a minute.
        """
        if not self.data.exists():
            self._say("making a PostgreSQL database")
            await self._initialize()
        self._say("starting a PostgreSQL server")
        command = [self._programs.path("postgres"), "-D", str(self.data), "-p", self.address.rpartition(":")[2]]
        for setting, value in {"unix_socket_directories": self.directory, **self._settings}.items():
            command += ["-c", f"{setting}={value}"]
        if self._process is None:
            self._process = NodeProcess(self.name, command, self.directory, {}, user=self._user)
        self._process.command = tuple(command)
        self._process.launch()
        await self._until_ready(self._process)

    async def stop(self) -> None:
        """Stops it: open transactions are undone, and connections are closed. What is committed is on disk."""
        process = self._running()
        os.kill(process.pid, signal.SIGINT)
        code = await process.exited(_STOP_S)
        if code != 0:
            raise ProcessFailed(f"{self.name} ended with {code}:\n{process.output()}")

    async def restart(self, settings: Mapping[str, object] | None = None) -> None:
        """Stops it if it runs, and starts it again, with these settings added to its own."""
        if self.alive:
            await self.stop()
        self._settings.update(settings or {})
        await self.start()

    def kill(self) -> None:
        """Ends all its processes at once, as when its machine loses power. Returns when they are gone."""
        if self.alive:
            kill_family(self._running())

    def freeze(self) -> None:
        """Stops all its processes where they are. Connections stay open and are not answered until `thaw`."""
        freeze_family(self._running())

    def thaw(self) -> None:
        """Lets its processes go on."""
        thaw_family(self._running())

    def close(self) -> None:
        """Ends it, and removes its folder."""
        self.kill()
        self._port.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def put(self, name: str, content: bytes) -> Path:
        """Writes a file that only the server can read into the folder of its data, such as a key; gives its path."""
        return self._own(self.data / name, content)

    # --- databases and standbys ---

    async def sql(self, statement: str, *, database: str = _ADMIN) -> str:
        """Runs a statement as the administrator, and gives what it answers: a line a row. Raises ProcessFailed."""
        arguments = ("psql", "--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--set", "ON_ERROR_STOP=1")
        return await self._run(*arguments, "--command", statement, self._address_of(database))

    async def create_database(self, name: str = "") -> str:
        """Makes an empty database, and gives its URL."""
        self._databases += 1
        name = name or f"test_{self._databases}"
        await self.sql(f'CREATE DATABASE "{name}"')
        return self.url_of(name)

    async def drop_database(self, url: str) -> None:
        """Drops the database of this URL, whoever is connected to it."""
        name = url.rpartition("/")[2]
        await self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def standby(self, name: str, settings: Mapping[str, object] | None = None) -> PostgresServer:
        """A second server with a copy of this one's data, which follows it. It is started; close it before this one.

        Put `name` into this server's `synchronous_standby_names`, and every commit waits for it.
        """
        copy = PostgresServer(name, settings={**self._settings, **(settings or {})}, programs=self._source)
        copy._password = self._password  # The roles are copied with the data.
        try:
            target = f"{self._address_of(_ADMIN)}?application_name={name}"
            await copy._run("pg_basebackup", "-d", target, "-D", str(copy.data), "-R", "-X", "stream", "-c", "fast")
            await copy.start()
        except BaseException:
            copy.close()
            raise
        return copy

    async def promote(self) -> None:
        """Makes a standby a server that is written to. It follows nobody from now on."""
        if await self.sql("SELECT pg_promote(true, 60)") != "t":
            raise ProcessFailed(f"{self.name} was not promoted within 60 s:\n{self.output()}")

    # --- its programs ---

    def _address_of(self, database: str) -> str:
        return f"postgresql://{_ADMIN}@{self.address}/{database}"

    async def _initialize(self) -> None:
        secret = self._own(self.directory / "password", self._password.encode())
        encoding = ("--encoding", "UTF8", "--locale", "C")
        access = ("--auth", "scram-sha-256", "--username", _ADMIN, "--pwfile", str(secret))
        await self._run("initdb", "--pgdata", str(self.data), *encoding, *access)
        secret.unlink()

    async def _run(self, program: str, *arguments: str) -> str:
        """Runs a program of PostgreSQL to its end, and gives its output. Raises ProcessFailed."""
        command = (self._programs.path(program), *arguments)
        # Other users of the machine can read arguments, and the server's user cannot read what is in root's home.
        env = {"PGPASSWORD": self._password, "HOME": str(self.directory)}
        process, log = launch(command, self.directory, env, name=program, user=self._user)
        deadline_s = time.monotonic() + _PROGRAM_S
        try:
            while process.poll() is None:
                if time.monotonic() > deadline_s:
                    raise ProcessFailed(f"{program} still runs after {_PROGRAM_S:g} s:\n{log.read_text()}")
                await asyncio.sleep(_POLL_S)
        finally:
            process.kill()
            process.wait()
        output = log.read_text(errors="replace").strip()
        log.unlink()
        if process.returncode != 0:
            raise ProcessFailed(f"{program} ended with {process.returncode}:\n{output}")
        return output

    async def _until_ready(self, process: NodeProcess) -> None:
        deadline_s = time.monotonic() + _START_S
        while not self._is_ready(process.pid):
            if not process.alive:
                raise ProcessFailed(f"{self.name} ended while it started:\n{process.output()}")
            if time.monotonic() > deadline_s:
                raise ProcessFailed(f"{self.name} is not ready after {_START_S:g} s:\n{process.output()}")
            await asyncio.sleep(_POLL_S)

    def _is_ready(self, pid: int) -> bool:
        """Whether the server of this process says so in its own file, as pg_ctl asks."""
        try:
            lines = (self.data / "postmaster.pid").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(pid)] and len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == _READY

    def _own(self, file: Path, content: bytes) -> Path:
        file.touch(mode=0o600)
        file.write_bytes(content)
        if self._user is not None:
            shutil.chown(file, self._user.user_id, self._user.group_id)
        return file

    def _running(self) -> NodeProcess:
        if self._process is None:
            raise InvalidSettings(f"{self.name} was never started")
        return self._process


def _silent(said: str) -> None:
    """Nobody wants to know what takes long."""
