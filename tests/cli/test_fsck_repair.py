"""`fsck --repair` from the outside, and what `fsck` says of damage."""

from __future__ import annotations

import json
import shlex
import subprocess

import pytest
from tests import stored
from tests.damaged import ROWS, extract
from tests.store.support import listing

from mlstore.maintenance.repair import RepairReport
from mlstore.repository import Repository
from mlstore.verify import FsckReport, fsck


def damage(cli, data=b"b\n"):
    repo = Repository.open(cli.root)
    place = stored.find(repo.store, repo.format.hash_bytes(data))
    place.flip()
    return repo.format.hash_bytes(data)


def test_what_is_damaged_has_its_type_and_size_and_who_needs_it(history):
    damage(history)
    out = history("fsck", status=3).out
    assert "object:   blob, 2 bytes" in out
    assert "needed as 'data/b.txt'" in out
    finding = history("fsck", "--json", status=3).json["findings"][0]
    assert (finding["type"], finding["size"], finding["path"]) == ("blob", 2, "data/b.txt")


def test_it_heals_from_the_worktree_and_says_what_it_did(history):
    object_id = damage(history)
    result = history("fsck", "--repair")
    assert result.lines[0] == f"healed    blob {object_id[:10]} data/b.txt, 2 B, from data/b.txt"
    assert "nothing was deleted" in result.out
    assert history("fsck").lines[0].startswith("ok:")
    assert history("fsck", "--repair").lines[0] == "nothing to repair"


def test_what_cannot_be_healed_is_told_with_who_needs_it_and_the_status_says_so(history):
    damage(history)
    history.write("data/b.txt", "changed since")
    result = history("fsck", "--repair", status=4)
    assert "needed as 'data/b.txt'" in result.out
    assert history("fsck", "--repair", "--from", "WORKTREE", status=4)


def test_a_dry_run_says_what_it_would_do_and_does_nothing(history):
    damage(history)
    before = listing(history.root, skip=())
    result = history("fsck", "--repair", "--dry-run", status=3)
    assert result.lines[0].startswith("would be healed")
    assert any(line.startswith("would be set aside") for line in result.lines)
    assert listing(history.root, skip=()) == before


def test_from_is_meant_in_the_folder_that_the_user_is_in(history, tmp_path):
    damage(history)
    history.write("data/b.txt", "changed since")
    (tmp_path / "sub").mkdir(exist_ok=True)
    history.write("sub/copy", "b\n")
    assert "from sub/copy" in history("fsck", "--repair", "--from", ".", cwd="sub").out


def test_the_damaged_copy_of_what_was_healed_is_told_and_repair_sets_its_pack_aside(history):
    object_id = damage(history)
    pack = stored.find(history.root / ".mlstore", object_id).path
    history("add", "data/b.txt")
    for _ in range(2):  # nobody else touches such a pack
        warning = history("fsck").out
        assert "there is another copy of it" in warning
        assert "'mlstore fsck --repair' sets that pack aside" in " ".join(warning.split())
        history("gc", "-q", "--prune=now")
        assert pack.exists()
    assert f"set aside objects/pack/{pack.name[:10]}" in history("fsck", "--repair").out
    assert not pack.exists()
    assert len(history("fsck").lines) == 1
    history("gc", "-q")
    assert len(stored.packs(history.root / ".mlstore")) == 1
    history("verify")


def test_a_report_tells_what_is_left_after_the_repair(history, tmp_path):
    def left(*argv, status=0):
        report = tmp_path / "left.json"
        history("fsck", "--repair", *argv, "--report", f"json={report}", status=status)
        return [finding["kind"] for finding in json.loads(report.read_text())["findings"]]

    damage(history)
    assert left("--dry-run", status=3) == ["corrupt-object"]
    assert left() == []
    damage(history)
    history.write("data/b.txt", "changed since")
    assert left(status=4) == ["missing-object"]


def test_the_json_has_the_documented_keys(history):
    damage(history)
    answer = history("fsck", "--repair", "--json").json
    assert answer.keys() == {"schema", *RepairReport(False, [], FsckReport()).to_dict()}
    assert answer["schema"] == "mlstore.repair/1"
    assert [one["path"] for one in answer["healed"]] == ["data/b.txt"]
    assert (answer["ok"], answer["after"]["ok"]) == (True, True)
    assert answer["quarantine"].startswith(".mlstore/quarantine/")


def test_quiet_is_quiet_where_all_is_well(history):
    damage(history)
    assert history("-q", "fsck", "--repair").out == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "."), "'--from' goes with '--repair'"),
        (("--dry-run",), "'--dry-run' goes with '--repair'"),
        (("--repair", "--quick"), "'--repair' checks everything"),
        (("--repair", "--sample", "1/2"), "'--repair' checks everything"),
        (("--repair", "--resume"), "'--repair' checks everything"),
    ],
)
def test_options_that_do_not_go_together_are_refused(history, arguments, told):
    assert told in history("fsck", *arguments, status=2).err


def test_a_source_that_is_no_folder_is_missing(history):
    assert "is not a folder" in history("fsck", "--repair", "--from", "nowhere", status=4).err


def test_dangling_names_the_type_as_git_does_and_can_be_left_out(history):
    history.write("new.txt", "never committed")
    history("add", "new.txt")
    history("rm", "--cached", "-q", "new.txt")
    assert history("fsck").lines[0].startswith("dangling blob ")
    assert history("fsck", "--no-dangling").lines[0].startswith("ok:")
    assert history("fsck", "--full", "--unreachable").lines[0].startswith("unreachable blob ")


def test_names_from_the_disk_are_escaped(history):
    folder = Repository.open(history.root).store / "objects/ab"
    folder.mkdir(exist_ok=True)
    (folder / "\x1b[31mred").write_text("x")
    result = history("fsck", "--repair")
    assert "\x1b" not in result.out
    assert "set aside" in result.out


@pytest.mark.parametrize(
    "name", ["ref-garbage", "ref-dangling", "head-garbage", "head-missing", "commit-missing"]
)
def test_the_line_in_the_hint_puts_a_ref_back(name, outside, tmp_path):
    """What is proposed works; that it is right is for the user to say."""
    root = extract(name, tmp_path / "repo")
    (row,) = [row for row in ROWS if row["name"] == name]
    outside("-C", "repo", "fsck", "--repair", status=row["worktree"])  # proposed, and not done
    for _ in range(3):
        found = fsck(Repository.open(root)).findings
        hints = [one.hint for one in found if one.hint and "if that is right: " in one.hint]
        if not hints:
            break
        for hint in hints:
            line = hint.partition("if that is right: ")[2]
            assert shlex.split(line)[0] == "echo"
            subprocess.run(line, shell=True, cwd=root, check=True)
    assert {one.path for one in found if one.severity == "error"} <= {
        "refs/tags/golden"
    }  # a tag has no place where it was before
