"""What is to be said of how a command took a hostile repository."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

from tests.hostile.expected import BESIDES, MUST_REFUSE, WRITES

if TYPE_CHECKING:
    from tests.hostile.cases import Case

MOST_MEMORY = 200 << 20
DOCUMENTED = range(7)
# What has no bound on disk, or takes the builder long, meets only the commands that read that far.
LARGE = ("bomb-tree", "bomb-commit", "nested-too-deeply", "tag-of-a-long-chain")
FEW = ["log", "show", "diff", "ls-tree", "cat-file", "verify", "verify-against", "fsck", "du", "gc", "load",
       "verify-json", "fsck-json", "checkout", "reset"]  # fmt: skip


def expected(case: Case) -> dict[str, set[int]]:
    """Give, by command, the statuses that a case may end with; any documented one where it is not named."""
    return {**MUST_REFUSE[case.where], **BESIDES.get(case.name, {})}


def unsafe(text: str) -> set[str]:
    """Give the characters of *text* that control a terminal, hide or reorder, as Unicode classes them."""
    kinds = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return {char for char in text if char not in "\n\t" and unicodedata.category(char) in kinds}


def complaints(answer: dict[str, Any], expected: dict[str, set[int]]) -> list[str]:
    """Say what is wrong with how a command took it."""
    name = answer["command"]
    if "killed" in answer:
        return [f"{name}: died or hung, ended by signal or status {answer['killed']}"]
    text, status = answer["out"] + answer["err"], answer["status"]
    wrong = []
    if status not in expected.get(name, DOCUMENTED):
        wrong.append(f"status {status}, expected {sorted(expected.get(name, DOCUMENTED))}")
    if "internal error" in text or "Traceback" in text or "out of memory" in text:
        wrong.append("a bug")
    if unsafe(text):
        wrong.append(f"raw {unsafe(text)!r}")
    if not answer["outside"] or not answer["beside"]:
        wrong.append("something outside the worktree changed")
    if answer["started"]:
        wrong.append(f"started {answer['started']}")
    if answer["peak"] > MOST_MEMORY:
        wrong.append(f"{answer['peak'] >> 20} MiB")
    if status and name in WRITES and not answer["worktree"]:
        wrong.append("refused, and the worktree changed")
    if name.endswith("-json"):
        wrong += [] if json.loads(answer["out"])["schema"].startswith("mlstore.") else ["no schema"]
    elif status and not answer["out"] and name != "exec":  # which reports on stderr
        lines = answer["err"].splitlines()
        heads = [line.partition(":")[0] for line in lines if not line.startswith("  ")]
        if heads not in (["error"], ["error", "hint"]):
            wrong.append("not one line and a hint")
    return [f"{name}: {what}: {text[:300]!r}" for what in wrong]
