from __future__ import annotations

import errno

import click
import pytest

from mlstore import errors as library
from mlstore_cli.errors import describe, status_of

FAMILIES = [
    (library.UsageError, 2),
    (library.InvalidPath, 2),
    (library.InvalidRef, 2),
    (library.InvalidRevision, 2),
    (library.ConfigError, 2),
    (library.NotARepository, 2),
    (library.NotOwned, 2),
    (library.Refused, 1),
    (library.WouldOverwrite, 1),
    (library.NothingToCommit, 1),
    (library.StageFailed, 1),
    (library.NotVerified, 1),
    (library.CorruptError, 3),
    (library.CorruptObject, 3),
    (library.CorruptFile, 3),
    (library.CorruptArtifact, 3),
    (library.DecodeError, 3),
    (library.NotFoundError, 4),
    (library.ObjectNotFound, 4),
    (library.RefNotFound, 4),
    (library.PathNotFound, 4),
    (library.NotTrusted, 5),
    (library.CannotRun, 6),
    (library.Locked, 6),
    (library.StorageError, 6),
]


@pytest.mark.parametrize(("family", "status"), FAMILIES)
def test_each_family_has_its_exit_status(family, status):
    assert status_of(family("x")) == status
    assert describe(family("x", hint="y")).hint == "y"


def test_no_error_of_the_library_is_without_an_exit_status():
    named = {family for family, _ in FAMILIES}
    every = {
        value
        for value in vars(library).values()
        if isinstance(value, type) and issubclass(value, library.MlstoreError)
    }
    assert every - {library.MlstoreError} == named


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.ENOSPC, 6),
        (errno.EDQUOT, 6),
        (errno.EACCES, 6),
        (errno.EROFS, 6),
        (errno.EIO, 6),
        (errno.ENOENT, 4),
        (errno.ENOTDIR, 4),
        (errno.EISDIR, 2),
    ],
)
def test_errors_of_the_system_name_the_file_and_the_reason(number, status):
    failure = describe(OSError(number, "Some Reason", "x\x1b"))
    assert failure.status == status
    assert failure.message == "'x\x1b': some reason"


def test_a_full_disk_comes_with_advice():
    assert "free some space" in (describe(OSError(errno.ENOSPC, "No space left on device")).hint or "")


def test_running_out_of_memory_is_no_bug():
    assert describe(MemoryError()).kind == "out-of-memory"


def test_click_errors_are_put_in_our_words():
    failure = describe(click.BadParameter("Not so.", param_hint="--n"))
    assert failure.status == 2
    assert failure.message == "invalid value for --n: Not so"


def test_an_error_is_one_line_whatever_the_name_holds(cli):
    err = cli("log", "--", "a\nerror: forged\x1b[2J", "../x", status=2).err
    assert len(err.splitlines()) == 2
    err = cli("rm", "a\nhint: forged\x1b[2J\u202e", status=4).err
    assert err.splitlines()[0] == "error: 'a\\nhint: forged\\x1b[2J\\u202e' is not tracked"


def test_paths_that_the_message_does_not_name_are_listed_and_cut_short(cli, monkeypatch):
    def refuse(*_args: object) -> None:
        raise library.Refused("too many", paths=[f"p{number}\x1b" for number in range(23)])

    monkeypatch.setattr("mlstore_cli.app.cli.invoke", refuse)
    lines = cli("status", status=1).err.splitlines()
    assert lines[:2] == ["error: too many", '  "p0\\x1b"']
    assert lines[-1] == "  ... and 3 more"


def test_with_json_the_failure_is_one_object_on_stdout_too(cli):
    done = cli("log", "--json", "nope", status=4)
    assert done.json == {
        "schema": "mlstore.error/1",
        "kind": "ref-not-found",
        "message": "'nope' is neither a revision nor a path in the worktree",
        "hint": "put '--' before paths that are not there any more",
        "status": 4,
    }
    assert done.err.startswith("error: 'nope'")


def test_with_json_a_usage_error_is_an_object_too(cli):
    assert cli("status", "--json", "--nope", status=2).json["kind"] == "usage"


def test_json_errors_are_valid_with_hostile_names(cli):
    assert cli("add", "--json", "\x1b]0;x\x07\udcff\u202e", status=4).json["message"].startswith("'\x1b]0;x")
