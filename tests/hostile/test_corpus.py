"""Every hostile repository before every command: refused as documented, in bounds, and contained."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.hostile.asking import Asked
from tests.hostile.attack import COMMANDS
from tests.hostile.cases import CASES
from tests.hostile.expected import MUST_REFUSE, WRITES
from tests.hostile.judging import FEW, LARGE, complaints, expected

from mlstore_cli.registry import COMMANDS as REGISTERED

ROOT = Path(__file__).parents[2]
WAYS_IN = ["log", "show", "diff", "ls-tree", "cat-file", "du", "inspect", "run-dry", "verify", "verify-json",
           "verify-against", "exec", "load", "clone", "fsck", "fsck-json", "status", "add", "gc",
           "checkout", "switch", "restore", "reset"]  # fmt: skip


@dataclass(frozen=True)
class Attacker:
    """The process that builds and attacks; one for all cases of a worker."""

    process: Asked
    folder: Path

    def attack(self, case: str, only: list[str] | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.process.ask(case=case, folder=str(self.folder / case), only=only)[
            "answers"
        ]
        return found


@pytest.fixture(scope="module")
def attacker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacker]:
    path = os.pathsep.join(str(ROOT / name) for name in ("", "store", "cli"))
    with Asked("attack.py", {"PYTHONPATH": path}) as process:
        yield Attacker(process, tmp_path_factory.mktemp("hostile"))


def commands_for(name: str) -> list[str] | None:
    """Give the commands that meet a case, None for every one.

    All cases meet all ways in; the other commands read what these read, and meet one case of each kind of
    lie, and all whose harm is in what is shown or where is written.
    """
    if name.startswith(LARGE):
        return FEW
    where = CASES[name].where
    first = next(case.name for case in CASES.values() if case.where == where)
    return None if name == first or where in ("text", "store", "log", "worktree") else WAYS_IN


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_repository_is_survived_by_every_command(attacker: Attacker, name: str) -> None:
    only = commands_for(name)
    answers = attacker.attack(name, only)
    wrong = [what for answer in answers for what in complaints(answer, expected(CASES[name]))]
    assert not wrong, "\n".join(wrong)
    assert len(answers) == len(only or COMMANDS)


def test_the_sound_repository_that_all_cases_start_from_is_taken_by_every_command(attacker: Attacker) -> None:
    """The control: what refuses everything refuses nothing in particular."""
    answers = {answer["command"]: answer for answer in attacker.attack("control")}
    refused = {name: answer["err"] for name, answer in answers.items() if answer["status"] not in (0, 1)}
    # There is no such tag, this is no git repository, and nothing is signed.
    assert set(refused) == {"show-tag", "verify-tag", "hook", "verify-commit"}, refused
    for name in (*WRITES, "fsck", "verify", "load", "run-dry"):
        assert answers[name]["status"] == 0, answers[name]["err"]


def test_every_command_that_there_is_is_attacked() -> None:
    # `reproduce` is asked to execute what the repository says: there is nothing to be kept from.
    assert {argv[0] for argv in COMMANDS.values() if argv} == set(REGISTERED) - {"reproduce"}


def test_every_kind_of_lie_has_its_cases() -> None:
    assert {case.where for case in CASES.values()} == set(MUST_REFUSE)
