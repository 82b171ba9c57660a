"""`clone` from the outside, and what the other commands say in a clone without blobs."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Cli


@pytest.fixture
def origin(outside: Cli) -> Cli:
    """A repository in the folder `origin`, with a tag."""
    cli = Cli(outside.root / "origin")
    cli.root.mkdir()
    cli("init", "-q")
    cli.write("data/b.txt", "b\n")
    cli.commit("one", a_txt="1\n")
    cli.commit("two", a_txt="1\n2\n")
    cli("tag", "-a", "v1", "-m", "first")
    return cli


@pytest.mark.parametrize("source", ["origin", "origin/", "./origin/.mlstore", "file://{root}/origin"])
def test_a_clone_is_named_after_its_source_or_as_told(origin: Cli, outside: Cli, source: str) -> None:
    (outside.root / "below").mkdir()
    text = source.format(root=outside.root) if source.startswith("file") else f"../{source}"
    result = outside("clone", text, cwd="below")
    assert result.out == ""
    assert result.err == "Cloning into 'origin'...\n"
    copy = Cli(outside.root / "below/origin")
    assert copy.read("a.txt") == "1\n2\n"
    assert copy("log", "--oneline").out == origin("log", "--oneline").out
    assert copy("tag").out == "v1\n"
    assert copy("status", "-s").out == ""


def test_a_clone_can_be_given_a_folder(origin: Cli, outside: Cli) -> None:
    assert outside("clone", "-q", "origin", "deep/er").err == ""
    assert Cli(outside.root / "deep/er").read("data/b.txt") == "b\n"


def test_json_says_what_was_made(origin: Cli, outside: Cli) -> None:
    value = outside("clone", "--json", "origin", "copy").json
    assert value == {
        "schema": "mlstore.clone/1",
        "root": str(outside.root / "copy"),
        "source": str(origin.root),
        "object_format": "blake3",
        "branch": "main",
        "commit": origin("rev-parse", "HEAD").out.strip(),
        "filter": None,
        "objects": 9,
        "bytes": value["bytes"],
        "left_out": {"blobs": 0, "bytes": 0},
        "files": 2,
    }


def test_without_blobs_it_says_what_was_left_out(origin: Cli, outside: Cli) -> None:
    result = outside("clone", "--filter=blob:none", "origin", "thin")
    assert result.err.splitlines()[1] == "left out 3 blobs, 8 B (blob:none); no file was written"
    thin = Cli(outside.root / "thin")
    assert thin("config", "core.filter").out == "blob:none\n"
    assert thin("config", "clone.source").out == f"{origin.root}\n"
    assert thin("log", "--oneline").out == origin("log", "--oneline").out
    lines = thin("fsck").out.splitlines()
    assert lines[0].startswith("ok: 2 commits, 6 objects")
    assert " ".join(lines[1:]) == (
        "not checked: filtered (3 blobs are not here, 8 B: the store was cloned without (blob:none))"
    )
    assert thin("fsck", "--json").json["checked"]["filtered"] == 3


def test_a_file_that_was_left_out_is_4_with_the_way_to_it(origin: Cli, outside: Cli) -> None:
    outside("clone", "-q", "--filter=blob:none", "origin", "thin")
    thin = Cli(outside.root / "thin")
    for args in (["checkout", "HEAD", "--", "a.txt"], ["restore", "a.txt"], ["show", "HEAD:a.txt"]):
        result = thin(*args, status=4)
        assert "is not in this store" in result.err
        assert f"'{origin.root}' has it" in result.err
    assert not (thin.root / "a.txt").exists()


def test_in_a_plain_store_a_blob_that_is_gone_is_4_and_missing(origin: Cli) -> None:
    from tests import stored

    stored.remove(origin.root / ".mlstore", origin("rev-parse", "HEAD:a.txt").out.strip())
    assert "missing-object" in origin("verify", status=4).out
    assert "is missing" in origin("fsck", status=4).out
    refused = origin("config", "core.filter", "blob:none", status=2)
    assert "it says what a clone left out" in refused.err
    origin("verify", status=4)


def test_verify_in_a_clone_without_blobs_shows_that_it_is_one(origin: Cli, outside: Cli) -> None:
    outside("clone", "-q", "--filter=blob:none", "origin", "thin")
    thin = Cli(outside.root / "thin")
    thin.write("a.txt", "1\n2\n")
    thin.write("data/b.txt", "b\n")
    out = thin("verify").out
    assert "is verified (dataless: 0 of 2 blobs hashed)" in out.splitlines()[0]
    assert "content (2 blobs, 6 B are not in this store; worktree files were" in out
    thin.write("a.txt", "1\n3\n")
    assert "'a.txt' in the worktree is not what the commit holds" in thin("verify", status=1).out
    (thin.root / "a.txt").unlink()
    thin("verify", status=1)


def test_beside_code_only_the_store_is_made(origin: Cli, outside: Cli) -> None:
    code = Cli(outside.root / "code")
    code.write("a.txt", "1\n2\n")
    code.write("train.py", "")
    refused = outside("clone", "origin", "code", status=1)
    assert "is not an empty folder" in refused.err
    outside("clone", "-q", "--filter=blob:none", "origin", "code")
    assert sorted(path.name for path in code.root.iterdir()) == [".mlstore", "a.txt", "train.py"]
    assert code("status", "-s").out.splitlines() == [" D data/b.txt", "?? train.py"]


def test_no_checkout_writes_no_file(origin: Cli, outside: Cli) -> None:
    outside("clone", "-q", "-n", "origin", "copy")
    copy = Cli(outside.root / "copy")
    assert [path.name for path in copy.root.iterdir()] == [".mlstore"]
    copy("reset", "-q", "--hard")
    assert copy.read("a.txt") == "1\n2\n"


def test_an_empty_repository_is_cloned_with_a_warning(outside: Cli) -> None:
    outside("init", "-q", "empty")
    assert "no commit at HEAD" in outside("clone", "empty", "copy").err
    assert outside("status", cwd="copy").out.startswith("On branch main")


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["https://host/x"], 2, "'https' is no way to another repository"),
        (["ext::sh -c true", "x"], 2, "'ext' is no way to another repository"),
        (["--", "-u", "x"], 2, "'-u' looks like an option"),
        (["origin", "--", "-x"], 2, "'-x' looks like an option"),
        (["nowhere"], 2, "is not an mlstore repository"),
        (["--filter=tree:0", "origin", "x"], 2, "'tree:0' is not a filter"),
        (["origin", "origin"], 1, "is a repository already"),
        (["/"], 2, "is not an mlstore repository"),
    ],
)
def test_refusals_are_one_line_and_a_hint(
    origin: Cli, outside: Cli, args: list[str], status: int, said: str
) -> None:
    before = sorted(outside.root.iterdir())
    result = outside("clone", *args, status=status)
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert said in errors[0]
    assert sorted(outside.root.iterdir()) == before


def test_the_author_of_the_log_line_is_found_outside_of_any_repository(
    origin: Cli, outside: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLSTORE_AUTHOR_NAME")
    monkeypatch.delenv("MLSTORE_AUTHOR_EMAIL")
    outside("clone", "-q", "origin", "copy")
    assert "clone: from" in outside("reflog", cwd="copy").out


# --- verify: less than everything ---


def test_a_sample_is_part_of_the_verdict(origin: Cli) -> None:
    out = origin("verify", "--sample", "50%").out
    assert "is verified (sampled: 1 of 2 blobs, 50.0%)" in out.splitlines()[0]
    value = origin("verify", "--sample", "50%", "--seed", "abc", "--json").json
    assert value["partial"] == "sampled: 1 of 2 blobs, 50.0%"
    assert value["coverage"]["seed"] == "abc"
    assert value["coverage"]["sample"] == "50%"
    again = origin("verify", "--sample", "50%", "--seed", "abc", "--json").json
    assert again == value


def test_a_time_is_part_of_the_verdict(origin: Cli) -> None:
    assert "(sampled: 0 of 2 blobs, 0.0%)" in origin("verify", "--time-budget", "0s").out.splitlines()[0]
    assert "sampled" not in origin("verify", "--time-budget", "1h").out


def test_dataless_is_part_of_the_verdict(origin: Cli) -> None:
    assert "(dataless: 0 of 2 blobs hashed)" in origin("verify", "--dataless").out.splitlines()[0]


@pytest.mark.parametrize(
    "args",
    [
        ["--sample", "0%"],
        ["--sample", "x"],
        ["--time-budget", "60"],
        ["--seed", "abc"],
        ["--sample", "5%", "--seed", "a b"],
        ["--dataless", "--sample", "5%"],
    ],
)
def test_what_makes_no_sense_is_2(origin: Cli, args: list[str]) -> None:
    assert origin("verify", *args, status=2).err.startswith("error: ")
