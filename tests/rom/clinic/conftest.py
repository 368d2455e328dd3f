"""Stores to test against: SQLite always, PostgreSQL where Debian's server package is installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
DIALECTS = ("sqlite", "postgresql")
OPTIONS = "-c listen_addresses='' -c fsync=off -c full_page_writes=off"


@pytest.fixture(scope="session")
def new_database() -> Iterator[Callable[[], str]]:
    """Start a server for this session; return what makes an empty database and gives its URL."""
    if not SERVERS:
        pytest.skip("PostgreSQL: the server package is not installed (apt-get install postgresql)")
    binaries = SERVERS[-1].parent
    home = Path(tempfile.mkdtemp(prefix="rom-pg-"))
    other: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(home, "postgres")
        other = ["runuser", "-u", "postgres", "--"]

    def run(program: str, *arguments: str) -> None:
        command = [*other, str(binaries / program), *arguments]
        subprocess.run(command, check=True, cwd=home, timeout=120, stdout=subprocess.DEVNULL)

    names = count(1)

    def make() -> str:
        name = f"clinic{next(names)}"
        run("createdb", "-h", str(home), "-U", "rom", name)
        return f"postgresql://rom@/{name}?host={home}"

    data = str(home / "data")
    run("initdb", "-D", data, "-A", "trust", "-U", "rom", "--no-sync", "-E", "UTF8")
    run("pg_ctl", "-D", data, "-l", str(home / "log"), "-o", f"-k {home} {OPTIONS}", "-w", "start")
    yield make
    run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(home)


@pytest.fixture(params=DIALECTS)
def url(request: pytest.FixtureRequest) -> str | None:
    """Return the URL of an empty database: None for the SQLite file in the practice's folder."""
    if request.param == "sqlite":
        return None
    make: Callable[[], str] = request.getfixturevalue("new_database")
    return make()
