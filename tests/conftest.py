"""What several test modules share."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from mtok.archive import Store
from mtok.replay import Recording, collect_recorded
from once import once_a_run
from presses import Begin, Desk, begun_desk

if TYPE_CHECKING:
    from databases import Cluster

CopyStore = Callable[[Path], Store]
"""What returns a copy of a store, at a path where there is nothing."""

settings.register_profile("default", max_examples=25, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", max_examples=150, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

RECORDINGS = Path(__file__).parents[2] / "shared" / "data" / "openrouter"


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The recorded OpenRouter responses beside the checkout; without them the test is skipped."""
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recorded responses at {RECORDINGS}")
    return RECORDINGS


@pytest.fixture
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 300 kB, or of the size it is parametrized with."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = getattr(request, "param", "300k")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "mtok-test", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk that has published for the first time; not to be changed, see `begin`."""
    return begun_desk(tmp_path_factory.mktemp("begun"))


@pytest.fixture
def begin(begun: Desk, tmp_path: Path) -> Begin:
    """What returns a copy of that desk, for which a market is to come."""
    return lambda market=(): begun.copy(tmp_path / "desk", market)


@pytest.fixture
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the disk: what is tested is what is written, not when it is durable."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture(scope="session")
def published_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that published the bundled sample over some days, with a notice and another key. Nobody may change it."""
    from released import release_sample

    return once_a_run(tmp_path_factory, "published-sample", release_sample)


@pytest.fixture(scope="session")
def collected_sample(tmp_path_factory: pytest.TempPathFactory) -> CopyStore:
    """What copies a store that collected the bundled sample, with its observations, to an empty path."""
    made = once_a_run(
        tmp_path_factory,
        "collected-sample",
        lambda path: collect_recorded(Store.create(path), Recording.sample()),
    )
    return lambda path: Store.open(shutil.copytree(made, path))


@pytest.fixture(scope="session")
def site(published_sample: Path) -> Iterator[str]:
    """The address of a server that shows the published sample, its clock an hour after the last print was due."""
    from served import serving

    with serving(published_sample) as address:
        yield address


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a venue; not to be changed, see `venue_store`."""
    from venue_commands import ADMINS, made

    return once_a_run(tmp_path_factory, "founded", lambda path: made(path, *ADMINS))


@pytest.fixture
def venue_store(founded: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(founded, tmp_path / "store"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL cluster of this worker. Each module or test makes databases of its own names in it."""
    from databases import postgresql_cluster

    with postgresql_cluster() as cluster:
        yield cluster
