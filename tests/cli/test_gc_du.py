"""`gc`, `prune`, `repack` and `du`, as a user sees them."""

from __future__ import annotations

import pytest


@pytest.fixture
def garbage(history):
    """`history`, and a commit that nothing leads to any more."""
    history.write("big.bin", bytes(range(256)) * 20)
    lost = history.commit("lost", c_txt="c\n")
    history("reset", "-q", "--hard", "HEAD~1")
    for log in (history.root / ".mlstore" / "logs").rglob("*"):
        if log.is_file():
            log.unlink()
    history.lost = lost
    return history


def test_a_dry_run_lists_size_kind_and_name(garbage):
    lines = garbage("gc", "-n", "--prune=now").lines
    assert lines[0].split() == ["5.0", "KiB", "blob", lines[0].split()[3], f"big.bin@{garbage.lost[:10]}"]
    assert any(line.endswith(f"c.txt@{garbage.lost[:10]}") for line in lines)
    assert any(line.split()[2:] == ["commit", garbage.lost[:10], "lost"] for line in lines)
    assert lines[-1].startswith("would remove 4 objects, ")
    garbage("cat-file", "-e", garbage.lost)


def test_gc_moves_to_the_trash_and_undo_brings_back(garbage):
    done = garbage("gc", "--prune=now")
    assert done.lines[0].startswith("moved 4 objects to the trash, ")
    assert "mlstore gc --undo" in done.err
    garbage("cat-file", "-e", garbage.lost, status=4)
    assert garbage("gc", "--undo").lines == ["brought back 4 objects"]
    garbage("cat-file", "-e", garbage.lost)
    assert garbage("gc", "--undo", status=4).err.startswith("error: the trash is empty\nhint: ")


def test_gc_keeps_what_is_young_and_has_nothing_to_say(history):
    first = history("gc").lines
    assert all(line.startswith("merged ") for line in first)
    assert history("gc").lines == []
    assert history("gc", "--no-prune", "-q").out == ""


def test_prune_is_for_good(garbage):
    assert garbage("prune", "-n").lines[-1].startswith("would remove 4 objects, ")
    garbage("gc", "--prune=now", "-q")
    assert garbage("prune", "-n").lines[-1].startswith("would empty the trash of ")
    assert garbage("prune").lines[0].startswith("emptied the trash of ")
    garbage("gc", "--undo", status=4)
    garbage("fsck")


def test_prune_keeps_what_was_used_since(garbage):
    assert garbage("prune", "--expire=1.hour.ago").lines == []
    garbage("cat-file", "-e", garbage.lost)


def test_json(garbage):
    dry = garbage("gc", "--dry-run", "--prune=now", "--json").json
    assert (dry["schema"], dry["dry_run"], dry["objects"]) == ("mlstore.gc/1", True, 4)
    assert {row["kind"] for row in dry["removed"]} == {"blob", "tree", "commit"}
    done = garbage("gc", "--prune=now", "--json").json
    assert done["trash"].startswith(".mlstore/trash/")
    assert garbage("gc", "--undo", "--json").json == {"schema": "mlstore.gc-undo/1", "restored": 4}
    assert garbage("prune", "--json").json["schema"] == "mlstore.prune/1"
    assert garbage("repack", "--json").json["schema"] == "mlstore.repack/1"
    assert garbage("du", "--json").json["schema"] == "mlstore.du/1"


def test_bad_times_and_combinations_are_usage_errors(history):
    assert history("gc", "--prune=soon", status=2).err.startswith(
        "error: 'soon' is no time to expire by\nhint: "
    )
    history("gc", "--undo", "--dry-run", status=2)
    history("prune", "--expire", "yesterday-ish", status=2)


def test_damage_stops_a_collection(garbage):
    from tests import stored

    commit = garbage("rev-parse", "HEAD~1").out.strip()
    stored.remove(garbage.root / ".mlstore", commit)
    done = garbage("gc", "--prune=now", status=4)
    assert "what is needed cannot be told" in done.err
    assert "nothing was removed" in done.err


@pytest.mark.parametrize("cli", ["loose"], indirect=True)
def test_repack_packs_loose_objects(history):
    assert history("repack").lines == ["packed 8 loose objects"]
    assert history("repack", "-ad").lines == ["nothing to pack"]
    history("fsck")


def test_du_shows_paths_and_adds_up(history):
    lines = history("du").lines
    assert lines[0].split() == ["stored", "size", "versions", "path"]
    rows = {line.split()[-1]: line.split() for line in lines[1:]}
    assert rows["a.txt"][4] == "2"
    assert rows["data/b.txt"][4] == "1"
    assert lines[-1].split()[-1] == "total"
    assert len(history("du", "-n1").lines) == len(lines)
    assert "1 more (--all shows them)" in history("du", "-1").out
    assert "(no stage)" in history("du", "--stages").out


def test_du_escapes_names(cli):
    cli.write("a\u202eb", "1")
    cli.commit("hostile")
    assert "\u202e" not in cli("du").out
    assert "a\\u202eb" in cli("du").out
