"""Which commands have to refuse which kind of lie, and with which status.

What is not named here may end in any documented way: `rev-list` of a commit whose tree is hostile has
nothing to refuse.
"""

from __future__ import annotations

WRITES = ("checkout", "checkout-force", "switch", "restore", "reset")
JUDGES = ("verify", "verify-json")
USES = ("verify-against", "exec")
CHECKS = ("fsck", "fsck-json")
READS = ("diff", "diff-stat", "diff-json", "ls-tree", "ls-tree-json", "log-json", "chain", "load")

CORRUPT, USAGE, DIFFERS = {3}, {2}, {1}
REFUSED = {1, 2, 3, 4}


def _all(commands: tuple[str, ...], statuses: set[int]) -> dict[str, set[int]]:
    return dict.fromkeys(commands, statuses)


_COMMIT = {
    **_all((*WRITES, *JUDGES, *USES, *READS, "show", "show-json", "log", "rev-list"), {2, 3}),
    **_all(CHECKS, CORRUPT),
}

MUST_REFUSE: dict[str, dict[str, set[int]]] = {
    "tree": {**_all(WRITES, CORRUPT), **_all((*JUDGES, *USES, *CHECKS), CORRUPT)},
    "names": _all(WRITES, USAGE),
    "blob": {**_all(WRITES, CORRUPT), **_all((*JUDGES, *CHECKS), CORRUPT), **_all(USES, {1, 3})},
    "pack": {**_all(WRITES, {3, 4}), **_all((*JUDGES, *CHECKS), {3, 4}), **_all(USES, {1, 3, 4})},
    "commit": _COMMIT,
    "ref": _all((*WRITES, *JUDGES, *USES, *CHECKS, *READS, "show", "log"), CORRUPT),
    "tag": _all(CHECKS, CORRUPT),
    "head": _all((*CHECKS, "verify-head", "status", "status-json", "commit", "checkout", "run-dry"), CORRUPT),
    "log": {},
    "index": _all(CHECKS, CORRUPT),
    "config": _all(("status", *CHECKS, "verify", "add", "commit", *WRITES), USAGE),
    "manifest": {**_all(("run-dry", "run-dry-json"), {1, 2}), **_all(USES, {1, 2, 3, 4})},
    "lock": {},
    "ignore": _all(("add",), USAGE),
    "worktree": {},
    "text": {},
    "shape": {**_all((*WRITES, *JUDGES, *CHECKS), CORRUPT), **_all(("ls-tree", "diff", "du"), CORRUPT)},
    "store": {},
}

# Where a case is not as its kind.
BESIDES: dict[str, dict[str, set[int]]] = {
    # Only an ancestor lies: the commit itself can be checked out.
    "commit-whose-parent-is-a-tree": _all(WRITES, {0, 3}),
    # Another first line makes a blob of a tree.
    **dict.fromkeys(
        ("form-other-version", "form-carriage-return", "header-line-without-end"), _all(("restore",), {2, 3})
    ),
    # The fan-out only helps to find an entry, whose bytes are hashed all the same; and a sound pattern is not
    # to be refused, however long: it has to be matched in reasonable time.
    **dict.fromkeys(("pack-fan-out-overflow", "pack-fan-out-backwards"), _all((*WRITES, *JUDGES), {0, 3, 4})),
    "manifest-pattern-blow-up": _all(("run-dry", "run-dry-json"), {0}),
    # `restore` takes any tree.
    "commit-that-is-a-tree": _all((*WRITES, *READS, "show", "show-json", "log", "rev-list"), {0, 2, 3, 4}),
    "commit-that-is-a-blob": _all((*WRITES, *READS, "show", "show-json", "log", "rev-list"), {0, 2, 3, 4}),
}
