"""Commits and tags as `log` and `show` print them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlstore_cli.output import Style, escape, escape_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlstore.hashing import ObjectId
    from mlstore.model import Commit, StageRecord, Tag
    from mlstore.refs import Head
    from mlstore.signing import Signature

SHORT: Final = 10
"""Digits of an id where a person reads it."""

_BRANCHES: Final = "refs/heads/"
_TAGS: Final = "refs/tags/"


def short(object_id: str) -> str:
    """Return the first digits of an id."""
    return object_id[:SHORT]


def decorations(refs: Mapping[str, ObjectId], head: Head) -> dict[ObjectId, list[str]]:
    """Return, for each commit, the short names that point to it: HEAD first, then branches, then tags.

    `refs` maps full names to commits (tags peeled).
    """
    found: dict[ObjectId, list[str]] = {}
    if head.commit is not None:
        found[head.commit] = [f"HEAD -> {head.branch}" if head.branch else "HEAD"]
    for name, commit in sorted(refs.items()):
        if name.startswith(_BRANCHES):
            branch = name.removeprefix(_BRANCHES)
            if branch != head.branch:
                found.setdefault(commit, []).append(branch)
        elif name.startswith(_TAGS):
            found.setdefault(commit, []).append(f"tag: {name.removeprefix(_TAGS)}")
    return found


def _decorate(names: Sequence[str], style: Style) -> str:
    return " " + style.cyan("(" + ", ".join(map(escape, names)) + ")") if names else ""


def format_signature(signature: Signature, style: Style) -> str:
    """Return the state of a signature, whose it is, and why it is not good."""
    state = style.green(signature.state) if signature.good else style.red(signature.state)
    key = f"{signature.key_type} {signature.fingerprint}" if signature.key_type else None
    words = [word for word in (signature.principal, key) if word is not None]
    reason = f" ({escape(signature.reason)})" if signature.reason else ""
    return " ".join([state, *map(escape, words)]) + reason


def format_oneline(
    commit_id: ObjectId,
    commit: Commit,
    names: Sequence[str],
    style: Style,
    signature: Signature | None = None,
) -> str:
    """Return `1a2b3c4d5e (HEAD -> main) subject`, with the stage in brackets for a block."""
    stage = style.dim(f" [{escape(commit.stage.name)}]") if commit.stage is not None else ""
    state = f" {signature.state}" if signature is not None else ""
    return f"{style.yellow(short(commit_id))}{state}{_decorate(names, style)}{stage} {escape(commit.subject)}"


def format_commit(
    commit_id: ObjectId,
    commit: Commit,
    names: Sequence[str],
    style: Style,
    signature: Signature | None = None,
) -> list[str]:
    """Return the header and the message of a commit, as git's medium format."""
    lines = [style.yellow(f"commit {commit_id}") + _decorate(names, style)]
    if signature is not None:
        lines.append(f"Signed: {format_signature(signature, style)}")
    if len(commit.parents) > 1:
        lines.append("Merge: " + " ".join(map(short, commit.parents)))
    lines.append(f"Author: {escape(str(commit.author))}")
    lines.append(f"Date:   {escape(commit.time)}")
    if commit.stage is not None:
        lines.append(f"Stage:  {_describe_stage(commit, commit.stage)}")
    return [*lines, "", *format_message(commit.message)]


def _describe_stage(commit: Commit, stage: StageRecord) -> str:
    lineage = f", lineage {short(commit.lineage)}" if commit.lineage else ""
    return f"{escape(stage.name)} ({stage.record}, height {commit.height}{lineage})"


def format_message(message: str) -> list[str]:
    """Return a message indented by four blanks, escaped line by line."""
    return [f"    {line}".rstrip() for line in escape_lines(message.rstrip("\n"))]


def format_stage(stage: StageRecord) -> list[str]:
    """Return what a block recorded about its stage, for `show`."""
    lines = [f"command:  {escape(' '.join(stage.command))}"]
    for label, ids in (("input", stage.inputs), ("output", stage.outputs), ("upstream", stage.upstream)):
        lines += [f"{label + ':':<10}{short(value)} {escape(name)}" for name, value in sorted(ids.items())]
    for key, text in sorted(stage.parameters.items()):
        lines.append(f"{'set:':<10}{escape(key)} = {escape(text)}")
    if stage.duration_ms is not None:
        lines.append(f"{'took:':<10}{stage.duration_ms / 1000:.1f} s")
    return lines


def format_tag(tag: Tag, style: Style, signature: Signature | None = None) -> list[str]:
    """Return the header and the message of an annotated tag."""
    head = [style.yellow(f"tag {escape(tag.name)}")]
    if signature is not None:
        head.append(f"Signed: {format_signature(signature, style)}")
    head.append(f"Tagger: {escape(str(tag.tagger))}")
    return [*head, f"Date:   {escape(tag.time)}", "", *escape_lines(tag.message.rstrip("\n")), ""]


def commit_to_json(commit_id: ObjectId, commit: Commit, names: Sequence[str] = ()) -> dict[str, Any]:
    """Return a commit for JSON; `refs` are the names that point to it."""
    return {
        "commit": commit_id,
        "tree": commit.tree,
        "parents": list(commit.parents),
        "height": commit.height,
        "lineage": commit.lineage,
        "author": {"name": commit.author.name, "email": commit.author.email},
        "time": commit.time,
        "message": commit.message,
        "stage": None if commit.stage is None else _stage_to_json(commit.stage),
        "signed": commit.signature is not None,
        "refs": list(names),
    }


def _stage_to_json(stage: StageRecord) -> dict[str, Any]:
    return {
        "name": stage.name,
        "command": list(stage.command),
        "inputs": dict(stage.inputs),
        "outputs": dict(stage.outputs),
        "upstream": dict(stage.upstream),
        "record": stage.record,
        "environment": stage.environment,
        "parameters": dict(stage.parameters),
        "duration_ms": stage.duration_ms,
    }


def tag_to_json(tag: Tag) -> dict[str, Any]:
    """Return an annotated tag for JSON."""
    return {
        "name": tag.name,
        "target": tag.target,
        "target_kind": tag.target_kind,
        "tagger": {"name": tag.tagger.name, "email": tag.tagger.email},
        "time": tag.time,
        "message": tag.message,
        "signed": tag.signature is not None,
    }
