"""docs/repair.md shows what the commands print, and names every option."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
from tests.damaged import extract
from tests.support import FIXTURES, run_mlstore

from mlstore_cli.commands.fsck import command

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (FIXTURES.parent / "docs/repair.md").read_text("utf-8")


def test_the_shown_output_is_what_is_printed(tmp_path: Path) -> None:
    root = extract("pack-entry", tmp_path / "repo")
    shown = PAGE.partition("$ mlstore fsck\n")[2].partition("```")[0]
    assert run_mlstore(["fsck"], root).stdout == shown
    backup = extract("sound", tmp_path / "backup")
    printed = run_mlstore(["fsck", "--repair", "--from", backup], root).stdout
    shown = PAGE.partition("may be repeated\n")[2].partition("```")[0]
    printed = re.sub(r"\d{8}T\d{6}Z", "20260116T152448Z", printed.replace(str(backup), "/backup/x"))
    assert printed == shown


def test_every_option_is_on_the_page() -> None:
    for param in command.params:
        assert isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts):
            if name.startswith("--") and not param.hidden:
                assert name in PAGE, name
