"""What each kind of finding means and what to do about it, for formats that have rules with a help text."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of finding: a short name, and what it means for the reader of a report."""

    title: str
    help: str


KINDS: dict[str, Kind] = {
    "changed-input": Kind(
        "An input of a stage changed",
        "Both the inputs and the outputs of the stage differ from the golden pipeline. Restore the input "
        "that the finding names and run the pipeline again, or pin this pipeline as golden if the change "
        "is wanted.",
    ),
    "diverged": Kind(
        "Same inputs, other output",
        "The stage read the same inputs as in the golden pipeline and wrote something else: it is not "
        "deterministic, ran in another environment, reads what it does not declare, or was tampered with.",
    ),
    "rebuilt": Kind(
        "Same output from other inputs",
        "The stage read other inputs than in the golden pipeline and wrote the same output.",
    ),
    "stale": Kind(
        "A stage is stale",
        "The stage's recorded inputs are not what the stages before it wrote. Run the pipeline again.",
    ),
    "changed-command": Kind(
        "A stage was made by another command",
        "Restore the command in mlstore.toml and run the stage again, or pin this pipeline as golden.",
    ),
    "missing": Kind("A stage is missing", "The golden pipeline has a stage that this one has not. Run it."),
    "extra": Kind("A stage too many", "The pipeline has a stage that the golden one has not."),
    "reordered": Kind(
        "A stage follows other stages", "Restore the order of the stages in mlstore.toml and run them again."
    ),
    "corrupt-object": Kind(
        "An object is corrupt",
        "Stored bytes do not hash to the id that they are kept under. Add a good copy of the file again, or "
        "fetch the object from another repository.",
    ),
    "corrupt-file": Kind(
        "A file of the store is corrupt", "A file below .mlstore cannot be read as what it is."
    ),
    "missing-object": Kind(
        "An object is missing",
        "Something that is needed is not in the store. Fetch it from another repository.",
    ),
    "missing-ref": Kind("A ref is missing", "A branch or tag that is needed is not there."),
    "false-record": Kind(
        "A block says what is not true",
        "What a stage's block records of its inputs or outputs is not what its own snapshot holds.",
    ),
    "wrong-height": Kind(
        "A block has a wrong height", "The commit's height is not one more than its parents'."
    ),
    "wrong-lineage": Kind(
        "A block has a wrong lineage", "The recorded lineage is not the hash of what the block records."
    ),
    "overwritten": Kind(
        "An output was overwritten", "A later commit holds another file than the stage's block says it wrote."
    ),
    "modified": Kind(
        "A file of the worktree was modified",
        "The file is not the one that is recorded. Restore it with 'mlstore restore', or commit the change.",
    ),
    "missing-file": Kind(
        "A file of the worktree is missing", "Restore it with 'mlstore restore', or commit its removal."
    ),
    "mode": Kind("A file's mode changed", "Whether the file can be executed is not what is recorded."),
    "unused-change": Kind(
        "A change that no stage reads", "The file changed, but none of the keys that the pipeline reads."
    ),
    "moved-pin": Kind(
        "A pin of mlstore.lock does not hold",
        "A tag does not point to the commit that mlstore.lock pins, or the commit is not what the lock says.",
    ),
    "equivalent": Kind(
        "Not the same, and equal by a rule",
        "The bytes differ, and a rule of golden's own gate says that what differs does not count.",
    ),
    "undecided": Kind(
        "Whether it counts as equal cannot be told",
        "A rule of the gate, or the keys that a stage reads, would decide; what that needs is not here.",
    ),
    "gate-rules": Kind(
        "The branch has other rules than golden",
        "The rules of the gate in this branch's mlstore.toml are not golden's. Golden's judge, so nothing is "
        "loosened by them; pin a new golden pipeline to change the rules.",
    ),
    "behind-pin": Kind(
        "HEAD is older than the pin", "mlstore.lock pins a later commit than what is checked out."
    ),
    "signers-in-worktree": Kind(
        "The allowed signers lie in the repository",
        "Whoever can change the repository can name himself as a signer: keep that file elsewhere.",
    ),
    "doubtful-name": Kind("A doubtful name", "A name that is allowed, but easily taken for another one."),
    "open-to-all": Kind(
        "The store can be written by all", "Take the right to write from those who need not have it."
    ),
    "artifact-in-git": Kind("An artifact is about to be added to git", "Keep it in mlstore, and out of git."),
    "store-in-git": Kind("The store is about to be added to git", "Let git ignore the folder .mlstore."),
    "rolled-back": Kind(
        "An older state than was seen before",
        "The head is valid, but older than what this client or mlstore.lock has seen.",
    ),
    "unsigned": Kind(
        "A required signature is missing", "Have the commit or tag signed by somebody who is allowed."
    ),
    "unknown-key": Kind("Signed by a key that is not allowed", "The key is not among the allowed signers."),
    "expired-key": Kind(
        "Signed by a key that was not valid then", "The key's time had passed, or not begun."
    ),
    "revoked-key": Kind("Signed by a key that was revoked", "Trust nothing that this key has signed."),
    "bad-signature": Kind("A signature does not fit", "It is not one of these bytes: they were changed."),
    "outside-pipeline": Kind("A file outside of the pipeline changed", "No stage reads or writes it."),
    "stranger": Kind(
        "A strange file in the store", "Nothing in mlstore made it: look at it, then remove it."
    ),
}


def kind_of(name: str) -> Kind:
    """Give what is known of a kind; one that is not known here stands for itself."""
    words = name.replace("-", " ")
    return KINDS.get(name) or Kind(words[:1].upper() + words[1:], f"'mlstore verify' found: {words}.")
