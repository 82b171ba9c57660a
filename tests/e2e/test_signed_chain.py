"""What somebody who can write the store may do to a signed chain, and what the installed command says."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.keys import Keys, needs_keygen
from tests.support import run_mlstore

from mlstore.model import Commit, StageRecord, Tag, compute_lineage
from mlstore.repository import Repository
from mlstore.signing.payload import COMMIT_NAMESPACE, TAG_NAMESPACE, commit_payload, tag_payload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlstore.hashing import ObjectId

pytestmark = needs_keygen

STAGES = ("draw", "fit", "score")
MANIFEST = """\
[stages.draw]
command = "echo 1 > data.csv"
outputs = ["data.csv"]

[stages.fit]
command = "cat data.csv data.csv > model.bin"
inputs = ["data.csv"]
outputs = ["model.bin"]

[stages.score]
command = "cat model.bin > scores.csv"
inputs = ["model.bin"]
outputs = ["scores.csv"]
"""


class Victim:
    """A repository with a chain of three blocks that Ada signed, and what she needs to judge it."""

    def __init__(self, root: Path, keys: Keys, state: Path) -> None:
        self.root = root
        self.keys = keys
        self.env = {"MLSTORE_ALLOWED_SIGNERS": str(keys.allowed), "MLSTORE_STATE": str(state)}

    def run(self, *args: str, status: int = 0) -> Any:
        done = run_mlstore([*args], self.root, env=self.env)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout) if "--json" in args else done.stdout

    def verify(self, *args: str, status: int = 5) -> dict[str, Any]:
        report: dict[str, Any] = self.run(
            "verify", "--require-signature", "--no-worktree", "--json", *args, status=status
        )
        return report

    @property
    def repo(self) -> Repository:
        return Repository.open(self.root)

    def chain(self) -> list[Commit]:
        """The commits from the first to HEAD."""
        found: list[Commit] = []
        commit_id = self.repo.refs.head().commit
        while commit_id is not None:
            commit = self.repo.objects.read_commit(commit_id)
            found.insert(0, commit)
            commit_id = commit.parents[0] if commit.parents else None
        return found

    def rewrite(self, commits: list[Commit], sign: Callable[[int, Commit], str | None] | None = None) -> None:
        """Chain *commits* anew, each on the one before, as a forger would: heights and lineages all agree.

        Every signature stays with its block, unless *sign* gives another.
        """
        parent: ObjectId | None = None
        repo = self.repo
        lineages: dict[str, ObjectId] = {}
        for number, commit in enumerate(commits):
            stage, lineage = commit.stage, commit.lineage
            if stage is not None:
                stage = self._restage(stage, lineages)
                lineage = lineages[stage.name] = compute_lineage(repo.format, stage)
            made = replace(
                commit, parents=(parent,) if parent else (), height=number, stage=stage, lineage=lineage
            )
            if sign is not None:
                made = replace(made, signature=sign(number, made))
            with repo.objects.transaction() as writer:
                parent = writer.add_commit(made)
        assert parent is not None
        self.move("refs/heads/main", parent)

    @staticmethod
    def _restage(stage: StageRecord, lineages: dict[str, ObjectId]) -> StageRecord:
        return replace(stage, upstream={name: lineages[name] for name in stage.upstream if name in lineages})

    def judge(self, *commits: Commit) -> list[str]:
        """Put *commits* into the store and have the signature of each judged."""
        repo = self.repo
        with repo.objects.transaction() as writer:
            ids = [writer.add_commit(commit) for commit in commits]
        found = self.run("verify-commit", "--json", *ids, status=5)["commits"]
        return [row["signature"]["state"] for row in found]

    def move(self, ref: str, target: ObjectId) -> None:
        """Move a ref behind everybody's back."""
        (self.root / ".mlstore" / ref).write_text(f"{target}\n")

    def sign(self, name: str, commit: Commit, namespace: str = COMMIT_NAMESPACE) -> str:
        return self.keys.sign(name, commit_payload(commit), namespace)


def states(report: dict[str, Any]) -> list[str]:
    """The state of each commit's signature, from the first to HEAD."""
    return [row["state"] for row in report["signatures"] if row["tag"] is None]


def kinds(report: dict[str, Any]) -> set[str]:
    return {finding["kind"] for finding in report["findings"] if finding["severity"] == "error"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Victim:
    keys = Keys(tmp_path_factory.mktemp("keys"))
    for name in ("ada", "bob", "mallory"):
        keys.make(name)
    keys.allow("ada", "ada@example.org")
    root = tmp_path_factory.mktemp("template") / "repo"
    root.mkdir()
    victim = Victim(root, keys, root.parent / "state")
    victim.run("init", "-q")
    (root / "mlstore.toml").write_text(MANIFEST)
    victim.run("run", "-q", f"-S{keys.folder / 'ada'}")
    assert states(victim.verify(status=0)) == ["GOOD"] * 3
    return victim


@pytest.fixture
def victim(template: Victim, tmp_path: Path) -> Victim:
    root = tmp_path / "repo"
    shutil.copytree(template.root, root)
    victim = Victim(root, template.keys, tmp_path / "state")
    report = victim.verify(status=0)  # from here on this client has seen the head
    assert report["ok"]
    assert report["anchors"]["last-seen"]["state"] == "NONE"
    return victim


@pytest.mark.parametrize("number", [0, 1])
def test_a_deleted_block_makes_those_after_it_bad(victim: Victim, number: int) -> None:
    chain = victim.chain()
    victim.rewrite(chain[:number] + chain[number + 1 :])
    report = victim.verify()
    assert states(report) == ["GOOD"] * number + ["BAD"] * (2 - number)
    assert {"bad-signature", "rolled-back"} <= kinds(report)


def test_a_deleted_last_block_leaves_an_old_and_valid_head_which_is_told(victim: Victim) -> None:
    old = victim.chain()[2].parents[0]
    victim.move("refs/heads/main", old)
    report = victim.verify()
    assert states(report) == ["GOOD", "GOOD"]
    assert kinds(report) == {"rolled-back"}
    assert report["anchors"]["last-seen"] == {
        "state": "ROLLED-BACK",
        "refs": {"HEAD": "ROLLED-BACK", "refs/heads/main": "ROLLED-BACK"},
    }


@pytest.mark.parametrize("number", [0, 1])
def test_two_blocks_in_another_order_are_bad(victim: Victim, number: int) -> None:
    chain = victim.chain()
    chain[number], chain[number + 1] = chain[number + 1], chain[number]
    victim.rewrite(chain)
    report = victim.verify()
    assert states(report) == ["GOOD"] * number + ["BAD"] * (3 - number)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_replaced_block_is_bad_and_so_are_those_after_it(victim: Victim, number: int) -> None:
    chain = victim.chain()
    chain[number] = replace(chain[number], message="run something else")
    victim.rewrite(chain)
    report = victim.verify()
    assert states(report) == ["GOOD"] * number + ["BAD"] * (3 - number)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_block_that_somebody_else_signed_is_of_an_unknown_key(victim: Victim, number: int) -> None:
    chain = victim.chain()

    def sign(at: int, commit: Commit) -> str | None:
        return victim.sign("mallory", commit) if at == number else chain[at].signature

    victim.rewrite(chain, sign)
    report = victim.verify()
    assert states(report) == ["GOOD"] * number + ["UNKNOWN-KEY"] + ["BAD"] * (2 - number)
    first = next(finding for finding in report["findings"] if finding["kind"] == "unknown-key")
    assert first["stage"] == STAGES[number]
    assert "SHA256:" in first["actual"]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_block_without_its_signature_is_unsigned(victim: Victim, number: int) -> None:
    chain = victim.chain()
    victim.rewrite(chain, lambda at, _commit: None if at == number else chain[at].signature)
    report = victim.verify()
    assert states(report) == ["GOOD"] * number + ["UNSIGNED"] + ["BAD"] * (2 - number)


def test_a_whole_chain_signed_anew_by_another_trusted_signer_is_still_not_the_one_seen(
    victim: Victim,
) -> None:
    victim.keys.allow("bob", "bob@example.org")
    victim.rewrite(victim.chain(), lambda _at, commit: victim.sign("bob", commit))
    report = victim.verify()
    assert states(report) == ["GOOD"] * 3
    assert kinds(report) == {"rolled-back"}
    assert kinds(victim.verify("--require-signature=ada@example.org")) == {"rolled-back", "unknown-key"}
    assert victim.verify("--accept-rollback", status=0)["ok"]
    assert victim.verify(status=0)["anchors"]["last-seen"]["state"] == "MATCH"


@pytest.mark.parametrize("namespace", ["git", "file", TAG_NAMESPACE, "mlstore.commit.v2"])
def test_a_signature_for_another_purpose_is_bad(victim: Victim, namespace: str) -> None:
    chain = victim.chain()
    victim.keys.allow("ada", "ada@example.org", options="")  # for every purpose
    victim.rewrite(
        chain, lambda at, made: victim.sign("ada", made, namespace) if at == 2 else chain[at].signature
    )
    assert states(victim.verify()) == ["GOOD", "GOOD", "BAD"]


def test_the_signature_of_a_tag_does_not_do_for_a_commit(victim: Victim) -> None:
    chain, target = victim.chain(), victim.repo.refs.head().commit
    assert target is not None
    tag = Tag("v1", target, "commit", chain[2].author, chain[2].time, "one")
    signature = victim.keys.sign("ada", tag_payload(tag), TAG_NAMESPACE)
    victim.rewrite(chain, lambda at, _made: signature if at == 2 else chain[at].signature)
    assert states(victim.verify()) == ["GOOD", "GOOD", "BAD"]


def test_every_part_of_a_signature_counts(victim: Victim) -> None:
    chain = victim.chain()
    good = chain[2].signature
    assert good is not None
    lines = good.splitlines()
    changed = [
        "",
        "\n" + good,
        good[:-1],
        good.replace("U1NIU0lH", "U1NIU0lI"),
        good.replace(lines[1], lines[1].swapcase()),
        good.replace(lines[-2], lines[-2][::-1]),
        "\n".join([*lines[:2], *lines[3:]]) + "\n",
        "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
        "x" * 100_000,
        "-----BEGIN SSH SIGNATURE-----\n\u00e9\u202e\x1b[2J\n-----END SSH SIGNATURE-----\n",
    ]
    variants = [replace(chain[2], signature=text) for text in changed]
    assert victim.judge(chain[2], *variants) == ["GOOD"] + ["BAD"] * len(variants)


def test_every_field_is_covered_by_the_signature(victim: Victim) -> None:
    good = victim.chain()[2]
    stage = good.stage
    assert stage is not None
    variants = [
        replace(good, message="run score "),
        replace(good, time="2026-01-16T15:24:49Z"),
        replace(good, author=replace(good.author, name="Ada Lovelac")),
        replace(good, tree=victim.chain()[1].tree),
        replace(good, parents=()),
        replace(good, height=good.height + 1),
        replace(good, lineage=good.tree),
        replace(good, stage=None),
        replace(good, stage=replace(stage, duration_ms=(stage.duration_ms or 0) + 1)),
        replace(good, stage=replace(stage, environment=None)),
        replace(good, stage=replace(stage, record="asserted")),
        replace(good, stage=replace(stage, command=("true",))),
        replace(good, stage=replace(stage, outputs={})),
    ]
    assert victim.judge(good, *variants) == ["GOOD"] + ["BAD"] * len(variants)


def test_a_changed_byte_of_a_stored_commit_is_damage(victim: Victim) -> None:
    victim.run("config", "core.pack", "false")
    (victim.root / "note.txt").write_text("1\n")
    victim.run("add", "note.txt")
    victim.run("commit", "-q", f"-S{victim.keys.folder / 'ada'}", "-m", "note")
    head = victim.repo.refs.head().commit
    assert head is not None
    path = victim.root / ".mlstore/objects" / head[:2] / head[2:]
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data.replace(b'"message":"note"', b'"message":"nope"'))
    assert "corrupt-object" in kinds(victim.verify(status=3))


def test_a_replaced_repository_is_told_and_a_new_one_is_not(victim: Victim, tmp_path: Path) -> None:
    shutil.rmtree(victim.root / ".mlstore")
    other = tmp_path / "other"
    other.mkdir()
    run_mlstore(["init", "-q"], other)
    (other / "a").write_text("1")
    run_mlstore(["add", "a"], other)
    run_mlstore(["commit", "-q", "-m", "one"], other)
    shutil.copytree(other / ".mlstore", victim.root / ".mlstore")
    report = victim.run("verify", "--no-worktree", "--json", status=5)
    assert kinds(report) == {"rolled-back"}
    shutil.rmtree(victim.root / ".mlstore")
    victim.run("init", "-q")
    victim.run("add", "mlstore.toml")
    victim.run("commit", "-q", "-m", "anew")
    assert victim.run("verify", "--no-worktree", "--json")["anchors"]["last-seen"]["state"] == "MATCH"
