"""The old signed repository stays readable and its signatures good, for ever; also for a second reader."""

from __future__ import annotations

import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
from tests.keys import needs_keygen
from tests.store.independent import Reader
from tests.support import FIXTURES

from mlstore.history import resolve_commit, walk
from mlstore.repository import Repository
from mlstore.signing import Trust, Verifier, find_keygen
from mlstore.verify import Requirement, Signing, fsck, verify

if TYPE_CHECKING:
    from pathlib import Path

SIGNERS = FIXTURES / "repositories/v1-signed.signers"
HEAD = "11c87c1e0753d8429883c169bf2e2c0739790bd43c96cbf8fe3cc644ad048046"


@pytest.fixture
def old(tmp_path: Path) -> Repository:
    with tarfile.open(FIXTURES / "repositories/v1-signed.tar") as tar:
        tar.extractall(tmp_path, filter="fully_trusted")
    return Repository.open(tmp_path)


def test_it_is_read_without_ssh_keygen(old: Repository) -> None:
    assert resolve_commit(old, "golden") == resolve_commit(old, "HEAD") == HEAD
    found = [commit for _, commit in walk(old, [resolve_commit(old, "forged")])]
    assert [commit.subject for commit in found] == ["forged", "notes", "run fit", "run draw"]
    assert [commit.signature is not None for commit in found] == [True, True, True, False]
    assert fsck(old).ok


@needs_keygen
def test_its_signatures_are_what_they_were(old: Repository) -> None:
    verifier = Verifier(lambda: find_keygen(None), Trust(SIGNERS))
    states = [verifier.commit(commit).state for _, commit in walk(old, [resolve_commit(old, "forged")])]
    assert states == ["UNKNOWN-KEY", "GOOD", "GOOD", "UNSIGNED"]
    report = verify(old, against="golden", signing=Signing(verifier=verifier))
    assert report.ok, report.to_dict()
    assert {(row["tag"], row["state"], row["principal"]) for row in report.signatures} == {
        (None, "GOOD", "ada@example.org"),
        ("golden", "GOOD", "ada@example.org"),
    }
    everything = Signing(Requirement("test"), verifier)
    assert verify(old, signing=everything).verdict == "unsigned"
    assert {one.kind for one in verify(old, "forged", signing=everything).findings} >= {
        "unsigned",
        "unknown-key",
    }


@needs_keygen
@pytest.mark.parametrize(
    ("kind", "name", "namespace"),
    [("commit", "HEAD", "mlstore.commit.v1"), ("tag", "refs/tags/golden", "mlstore.tag.v1")],
)
def test_a_second_reader_finds_what_was_signed(
    old: Repository, tmp_path: Path, kind: str, name: str, namespace: str
) -> None:
    reader = Reader(old.root)
    object_id = reader.ref(name)
    assert object_id is not None
    payload, signature = reader.signed(kind, object_id)
    assert signature is not None
    (tmp_path / "signature").write_text(signature)
    command = ["ssh-keygen", "-Y", "verify", "-f", str(SIGNERS), "-I", "ada@example.org", "-n", namespace]
    command += ["-s", str(tmp_path / "signature"), "-Overify-time=20260201"]
    for data, status in ((payload, 0), (payload + b" ", 255), (reader.object(object_id), 255)):
        done = subprocess.run(command, input=data, capture_output=True, check=False)
        assert done.returncode == status, done.stderr
