"""A PostgreSQL cluster of the tests' own: made by the programs the system has, in a temporary folder, and taken away.

What a venue promises of its rows (nothing lost that was committed, nothing serialized in two orders) is PostgreSQL's
to keep, so it is asked of PostgreSQL itself and not of what resembles it. The cluster of the system is left alone.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.sql import SQL, Identifier

from served import free_port

_PROGRAMS: Final = Path("/usr/lib/postgresql")
"""Where Debian installs the programs of each version, in `VERSION/bin`; `initdb` is not on the path."""
_ACCOUNT: Final = "postgres"
"""Who runs the cluster where the tests are run by root, whom PostgreSQL refuses."""
_OWNER: Final = "mtok"
_STARTS_WITHIN_SECONDS: Final = 60


class Cluster:
    """A running cluster with a database of no content, `postgres`; made by `postgresql_cluster`."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._programs = _newest_programs()
        self._port = free_port()
        self._password = secrets.token_hex(16)
        self._make(durable)

    def url(self, name: str) -> str:
        """Return the address of a database, as DATABASE_URL has it."""
        return f"postgresql://{_OWNER}:{self._password}@127.0.0.1:{self._port}/{name}"

    def create(self, name: str, template: str | None = None) -> str:
        """Make a database and return its address. template : the database it is a copy of, which nobody may be using"""
        statement = SQL("CREATE DATABASE {} TEMPLATE {}")
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.format(Identifier(name), Identifier(template or "template1")))
        return self.url(name)

    def has(self, name: str) -> bool:
        """Return whether there is a database of a name."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            return found.fetchone() is not None

    def start(self) -> None:
        """Start the cluster, which first recovers what was committed if it was stopped hard."""
        log = self._folder / "log"
        try:
            self._control("start", "-w", f"--timeout={_STARTS_WITHIN_SECONDS}", f"--log={log}")
        except AssertionError as error:
            error.add_note(log.read_text()[-2000:] if log.exists() else "nothing was logged")
            raise

    def stop(self) -> None:
        """Stop the cluster in good order, whoever is connected."""
        self._control("stop", "-w", "--mode=fast")

    def stop_hard(self) -> None:
        """Stop the cluster at once: no checkpoint, nothing written that was not; who is connected is cut off."""
        self._control("stop", "-w", "--mode=immediate")

    def is_running(self) -> bool:
        """Whether the server was started and not stopped."""
        return (self._data / "postmaster.pid").exists()

    def _make(self, durable: bool) -> None:
        password = self._folder / "password"
        password.write_text(self._password)
        self._run(
            "initdb",
            f"--pgdata={self._data}",
            f"--username={_OWNER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": str(self._folder),
            "fsync": "on" if durable else "off",
        }
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", *arguments, f"--pgdata={self._data}")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self._folder,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **_as_account(),
        )
        assert done.returncode == 0, f"{program} failed: {done.stderr or done.stdout}"


@contextmanager
def postgresql_cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """Make a cluster and start it; stop it and remove it in the end.

    durable : wait for the disk at each commit, as a test of what a stop leaves behind needs. Otherwise nobody waits.
    """
    with tempfile.TemporaryDirectory(prefix="mtok-postgresql-") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, _ACCOUNT)
        cluster = Cluster(Path(folder), durable=durable)
        cluster.start()
        try:
            yield cluster
        finally:
            if cluster.is_running():
                cluster.stop()


def is_installed() -> bool:
    """Return whether this machine has PostgreSQL's programs."""
    return any(_PROGRAMS.glob("*/bin/initdb"))


def _newest_programs() -> Path:
    """Return the folder of the programs of the highest version that is installed."""
    found = [path.parent for path in _PROGRAMS.glob("*/bin/initdb")]
    assert found, (
        f"no {_PROGRAMS}/*/bin/initdb: apt-get install postgresql, or leave out tests marked machine"
    )
    return max(found, key=lambda path: tuple(int(part) for part in path.parent.name.split(".")))


def _as_account() -> dict[str, Any]:
    """Return who runs a program of the cluster: whoever runs the tests, but not root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(_ACCOUNT)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
