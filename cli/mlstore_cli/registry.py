"""What commands there are: name, module, one-line summary, section of `mlstore --help`.

The help of `mlstore` and its suggestions are made from this table alone, so they import no command.
A command's module holds one click command named `command`, whose help begins with the summary given here.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Entry(NamedTuple):
    """Where a command lives and how it is announced."""

    module: str
    summary: str
    section: str


_START: Final = "Start"
_WORK: Final = "Record changes"
_HISTORY: Final = "History and branches"
_PIPELINE: Final = "Pipeline and proof"
_SPACE: Final = "Space"
_PLUMBING: Final = "Plumbing"

COMMANDS: Final[dict[str, Entry]] = {
    "init": Entry("init", "Create a repository", _START),
    "clone": Entry("clone", "Copy a repository into a new folder", _START),
    "config": Entry("config", "Read and write the repository's settings", _START),
    "add": Entry("add", "Stage files for the next commit", _WORK),
    "rm": Entry("rm", "Stop tracking files and delete them", _WORK),
    "status": Entry("status", "Show what changed since the last commit", _WORK),
    "diff": Entry("diff", "Show changes between commits, the index and the worktree", _WORK),
    "commit": Entry("commit", "Record the staged files as a commit", _WORK),
    "restore": Entry("restore", "Restore files from the index or from a commit", _WORK),
    "reset": Entry("reset", "Move the branch to a commit, or unstage files", _WORK),
    "log": Entry("log", "Show the history", _HISTORY),
    "show": Entry("show", "Show a commit, a tag, a tree or a file of a commit", _HISTORY),
    "branch": Entry("branch", "List, create, rename or delete branches", _HISTORY),
    "checkout": Entry("checkout", "Switch to a branch or commit, or take files from one", _HISTORY),
    "switch": Entry("switch", "Switch to a branch", _HISTORY),
    "tag": Entry("tag", "List, create or delete tags", _HISTORY),
    "reflog": Entry("reflog", "Show where a branch or HEAD stood before", _HISTORY),
    "run": Entry("run", "Run the stages that are stale and record each as a commit", _PIPELINE),
    "reproduce": Entry("reproduce", "Run recorded stages again in a scratch folder and compare", _PIPELINE),
    "chain": Entry("chain", "Show the pipeline's chain of blocks", _PIPELINE),
    "why": Entry("why", "Show where an artifact comes from", _PIPELINE),
    "verify": Entry("verify", "Prove or refute that the pipeline is what was recorded", _PIPELINE),
    "report": Entry("report", "Write what 'verify' says as one HTML page", _PIPELINE),
    "exec": Entry("exec_", "Verify, then run a command", _PIPELINE),
    "hook": Entry("hook", "Install git hooks that hold the pipeline against its record", _PIPELINE),
    "inspect": Entry("inspect", "Look into an artifact without executing it", _PIPELINE),
    "fsck": Entry("fsck", "Check every object of the store, or mend it", _PIPELINE),
    "du": Entry("du", "Show what takes the space", _SPACE),
    "gc": Entry("gc", "Collect garbage and pack what is loose", _SPACE),
    "prune": Entry("prune", "Remove what nothing needs, for good", _SPACE),
    "repack": Entry("repack", "Put loose objects into packs and merge packs", _SPACE),
    "cat-file": Entry("cat_file", "Print an object's type, size or content", _PLUMBING),
    "hash-object": Entry("hash_object", "Print the id that a file's content has", _PLUMBING),
    "ls-tree": Entry("ls_tree", "List the entries of a tree", _PLUMBING),
    "rev-list": Entry("rev_list", "List the ids of commits", _PLUMBING),
    "rev-parse": Entry("rev_parse", "Turn a revision into an id", _PLUMBING),
}
"""Every command, in the order in which `mlstore --help` shows them within their section."""
