"""`fsck` from the outside: what its options say."""

from __future__ import annotations

import pytest
from tests import stored

from mlstore.repository import Repository


def test_quick_says_that_it_did_not_hash_and_never_that_it_is_verified(history):
    result = history("fsck", "--quick")
    assert result.lines[0].startswith("ok by checksum, not hashed:")
    assert "xxh3 recognises accidents, not forgery" in " ".join(result.out.split())
    assert "verified" not in result.out
    assert "hashed" not in result.out.replace("not hashed", "")


def test_quick_says_so_in_json(history):
    answer = history("fsck", "--quick", "--json").json
    assert (answer["ok"], answer["mode"], answer["hashed"]) == (True, "quick", False)
    assert "forgery" in answer["skipped"]["hashes"]
    assert history("fsck", "--json").json["hashed"] is True


@pytest.mark.parametrize("arguments", [(), ("--quick",), ("--sample", "1/1"), ("--jobs", "1"), ("--resume",)])
def test_damage_is_found_by_all_of_them(history, arguments):
    repo = Repository.open(history.root)
    stored.find(repo.store, repo.format.hash_bytes(b"b\n")).flip()
    result = history("fsck", *arguments, status=3)
    assert "needed as 'data/b.txt'" in result.out


def test_a_sample_says_what_was_not_looked_at(history):
    results = [history("fsck", "--sample", f"{part}/3") for part in (1, 2, 3)]
    assert all("not checked: sample" in result.out for result in results)
    assert all(f"other parts than {part}/3" in results[part - 1].out for part in (1, 2, 3))


def test_what_is_no_sample_is_a_usage_error(history):
    assert "'4/3' is not a sample" in history("fsck", "--sample", "4/3", status=2).err


def test_there_may_be_nothing_to_resume(history):
    assert history("fsck", "--resume").lines[0].startswith("ok:")
