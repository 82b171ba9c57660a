"""What the sweeps share: a fork server, a folder in memory, and the repositories to start from."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.faults.killing import Server, why_not
from tests.faults.sweeping import CI
from tests.faults.workloads import WORKLOADS, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """In memory, where copying a repository costs least: nothing here asks what a disk would have kept."""
    with tempfile.TemporaryDirectory(
        prefix="mlstore-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None
    ) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    reason = why_not()
    if reason is not None:
        if CI:
            pytest.fail(f"{reason}, and CI requires the sweeps")
        pytest.skip(reason)
    started = Server()
    yield started
    started.close()


@pytest.fixture
def workload(server: Server, folder: Path, request: pytest.FixtureRequest) -> Iterator[Workload]:
    name = request.param if hasattr(request, "param") else "commit"
    place = Path(tempfile.mkdtemp(dir=folder))
    yield WORKLOADS[name](server, place)
    shutil.rmtree(place)
