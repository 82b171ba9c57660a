"""Whose lists are believed: those outside of the store, if they can be read whole."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from mlstore.errors import ConfigError
from mlstore.signing import trust
from mlstore.signing.trust import Trust, read_list

if TYPE_CHECKING:
    from pathlib import Path


def test_a_list_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "signers").write_bytes(b"ada ssh-ed25519 AAAA\n")
    assert read_list(tmp_path / "signers", "list of signers") == b"ada ssh-ed25519 AAAA\n"


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_a_list_that_is_no_file_is_told_and_nobody_waits_for_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "signers"
    {"missing": lambda: None, "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}[kind]()
    with pytest.raises(ConfigError, match="the list of signers '.*signers' is not a file"):
        read_list(path, "list of signers")


def test_a_list_that_cannot_be_read_or_is_too_large_is_told_and_not_read_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "signers"
    path.write_bytes(b"x" * 100)
    with monkeypatch.context() as patch:
        patch.setattr(trust, "_LARGEST", 99)
        with pytest.raises(ConfigError, match="is larger than 0 MiB"):
            read_list(path, "list of signers")

    def denied(*_args: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(ConfigError, match="cannot be read: permission denied"):
        read_list(path, "list of signers")


def test_lists_within_the_repository_are_found_whatever_links_lead_there(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    (root / "signers").touch()
    (tmp_path / "link").symlink_to(root / "signers")
    (tmp_path / "elsewhere").touch()
    (tmp_path / "also").symlink_to(root)
    assert Trust().inside(root) == []
    assert Trust(tmp_path / "elsewhere", tmp_path / "link").inside(root) == [tmp_path / "link"]
    assert Trust(root / "signers").inside(tmp_path / "also") == [root / "signers"]
