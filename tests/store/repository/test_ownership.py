"""A repository of another user is refused, unless somebody says that it is to be trusted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlstore
from mlstore.errors import NotOwned
from mlstore.repository import Repository
from mlstore.verify import verify

STRANGER = 64_321
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give a folder away"
)


@pytest.fixture
def stolen(tmp_path: Path) -> Path:
    """A repository whose store belongs to somebody else."""
    Repository.init(tmp_path)
    os.chown(tmp_path / ".mlstore", STRANGER, -1)
    return tmp_path


@needs_root
def test_a_store_of_another_user_is_refused_with_the_way_to_trust_it(stolen: Path) -> None:
    with pytest.raises(NotOwned, match=str(STRANGER)) as caught:
        Repository.open(stolen)
    assert caught.value.hint is not None
    assert f"--add safe.directory {stolen}" in caught.value.hint
    assert caught.value.data["owner"] == STRANGER


@needs_root
def test_a_worktree_of_another_user_is_refused(tmp_path: Path) -> None:
    Repository.init(tmp_path)
    os.chown(tmp_path, STRANGER, -1)
    with pytest.raises(NotOwned):
        Repository.open(tmp_path)


@needs_root
def test_one_that_is_found_above_is_refused_too_and_nobody_looks_further(stolen: Path) -> None:
    below = stolen / "mine" / "deep"
    below.mkdir(parents=True)
    with pytest.raises(NotOwned):
        Repository.discover(below)


@needs_root
def test_init_does_not_open_what_belongs_to_another(stolen: Path) -> None:
    with pytest.raises(NotOwned):
        Repository.init(stolen)


@needs_root
def test_whoever_opens_it_may_say_that_it_is_trusted(stolen: Path) -> None:
    asked = []

    def trusted(root: Path, owner: int) -> bool:
        asked.append((root, owner))
        return True

    assert Repository.open(stolen, trusted=trusted).root == stolen
    assert asked == [(stolen, STRANGER)]
    with pytest.raises(NotOwned):
        Repository.open(stolen, trusted=lambda _root, _owner: False)


@needs_root
def test_the_library_takes_the_folders_that_are_trusted(stolen: Path) -> None:
    for folders in ([stolen], [str(stolen)], ["*"]):
        assert mlstore.open(stolen, trusted=folders).root == stolen
    for others in ([], [stolen.parent], [stolen / "below"]):
        with pytest.raises(NotOwned):
            mlstore.open(stolen, trusted=others)


@needs_root
def test_a_golden_store_of_another_user_is_refused_as_well(stolen: Path, tmp_path_factory) -> None:
    mine = Repository.init(tmp_path_factory.mktemp("mine"))
    from mlstore.history import record_commit
    from mlstore.model import Person

    record_commit(
        mine, author=Person("Ada", "a@b"), time="2026-01-16T15:24:48Z", message="x", allow_empty=True
    )
    with pytest.raises(NotOwned):
        verify(mine, against=str(stolen))


CHILD = """
import os, sys
from pathlib import Path
from mlstore.errors import NotOwned
from mlstore.repository.ownership import require_owner
folder, uid = Path(sys.argv[1]), int(sys.argv[2])
os.setresuid(uid, uid, uid)
try:
    require_owner(folder, folder / ".mlstore")
except NotOwned:
    sys.exit(7)
"""


def for_everybody() -> str:
    """A folder for temporary ones that every user can reach: ``/tmp`` is not, everywhere."""
    import tempfile

    for name in (tempfile.gettempdir(), "/dev/shm", "/var/tmp"):
        place = Path(name)
        if place.is_dir() and all(folder.stat().st_mode & 0o001 for folder in (place, *place.parents)):
            return name
    pytest.skip("no temporary folder here is open to other users")


@needs_root
@pytest.mark.parametrize(
    ("owner", "user", "status"),
    [(0, STRANGER, 0), (STRANGER, STRANGER, 0), (STRANGER, STRANGER + 1, 7), (STRANGER, 0, 7)],
    ids=["root's", "one's own", "another's", "a user's, by root"],
)
def test_who_may_use_whose(tmp_path_factory, owner: int, user: int, status: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir=for_everybody()) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / ".mlstore").mkdir()
        for place in (folder, folder / ".mlstore"):
            os.chown(place, owner, -1)
        source = str(Path(mlstore.__file__).parents[1])
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(folder), str(user)],
            env={**os.environ, "PYTHONPATH": source},
            capture_output=True,
            check=False,
            text=True,
        )
    assert done.returncode == status, done.stderr


def test_ones_own_needs_no_trust(tmp_path: Path) -> None:
    Repository.init(tmp_path)
    assert (
        Repository.open(tmp_path, trusted=lambda *_: pytest.fail("nobody was to be asked")).root == tmp_path
    )
