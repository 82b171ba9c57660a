"""The rules in force: golden's own, wherever these are kept.

A branch must not loosen the gate that judges it. So the rules are those of ``mlstore.toml`` in the golden
commit's own tree. Where that commit tracks no such file, the file in the worktree counts only if
``mlstore.lock`` pins its rules (their id); else everything has to be equal byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from mlstore.errors import ConfigError, NotFoundError, PathNotFound
from mlstore.hashing import ObjectFormat, ObjectId
from mlstore.history import manifest_at
from mlstore.manifest import (
    LARGEST_MANIFEST,
    MANIFEST_NAME,
    CompareSpec,
    GateRule,
    GateSpec,
    Manifest,
    parse_manifest,
)
from mlstore.model.canonical import encode_object
from mlstore.repository import Repository, find_entry
from mlstore.worktree import read_file

Source: TypeAlias = Literal["commit", "pinned", "worktree", "default"]


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force, and where they come from.

    ``source`` is ``commit`` (tracked by ``commit``, in the blob ``file``), ``pinned`` (the file of the
    worktree, whose rules ``mlstore.lock`` pins), ``worktree`` (that file, vouched for by nobody) or
    ``default`` (bytes). ``id`` identifies what the rules say, whatever else the file holds. ``note`` says
    what stood in the way of golden's rules.
    """

    source: Source
    id: ObjectId
    gate: GateSpec = field(default_factory=GateSpec)
    compare: CompareSpec = field(default_factory=CompareSpec)
    commit: ObjectId | None = None
    file: ObjectId | None = None
    note: str | None = None

    @property
    def has_rules(self) -> bool:
        """Whether anything but the same bytes can count as equal."""
        return bool(self.gate.rules) or self.gate.default != GateRule()

    def rules_for(self, path: str) -> tuple[GateRule, ...]:
        """Give the rules that judge *path*: one, or several of ``metric`` for several keys."""
        return self.gate.rules_for(path)

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data."""
        return {
            "source": self.source,
            "id": self.id,
            "commit": self.commit,
            "file": self.file,
            "note": self.note,
            "default": self.gate.default.to_dict(),
            "rules": [{"rule": rule.name, **rule.to_dict()} for rule in self.gate.rules],
        }


def read_policy(
    repo: Repository, commit: ObjectId, *, pinned: ObjectId | None = None, worktree: bool = True
) -> Policy:
    """Give the rules that judge by *commit*: those it tracks, else those of the file beside ``.mlstore``.

    *pinned* is the id of the rules that ``mlstore.lock`` records for *commit*, *worktree* whether a file that
    nobody vouches for may be taken: not where a branch is judged. Rules that cannot be read are never loose:
    then bytes count, and ``note`` says why. Raises ``CorruptObject`` for a damaged commit or tree.
    """
    tree = repo.objects.read_commit(commit).tree
    entry = find_entry(repo.objects, tree, MANIFEST_NAME)
    if entry is not None and entry.kind != "tree":
        try:
            manifest = manifest_at(repo, tree)
        except NotFoundError:
            manifest = _same_file_in_worktree(repo, entry.id)
            if manifest is None:
                return bytes_only(repo.format, f"'{MANIFEST_NAME}' of {commit[:10]} is not in this store")
        except ConfigError as exc:
            return bytes_only(repo.format, f"the rules of {commit[:10]} cannot be used: {exc.message}")
        return _policy(repo.format, "commit", manifest or Manifest(), commit=commit, file=entry.id)
    return _untracked(repo, commit, pinned, worktree=worktree)


def _untracked(repo: Repository, commit: ObjectId, pinned: ObjectId | None, *, worktree: bool) -> Policy:
    where = f"{commit[:10]} tracks no '{MANIFEST_NAME}'"
    if pinned is None and not worktree:
        return bytes_only(repo.format)
    try:
        data = read_file(repo, MANIFEST_NAME, LARGEST_MANIFEST)
        manifest = parse_manifest(data.decode("utf-8"))
    except PathNotFound:
        note = f"{where}, and there is none here" if pinned is not None else None
        return bytes_only(repo.format, note)
    except (ConfigError, UnicodeDecodeError) as exc:
        return bytes_only(repo.format, f"{where}, and that of the worktree cannot be used: {exc}")
    file = repo.format.hash_bytes(data)
    found = _policy(repo.format, "worktree", manifest, file=file)
    if pinned is None:
        return found
    if found.id != pinned:
        return bytes_only(repo.format, f"{where}, and the rules here are not those that are pinned")
    return _policy(repo.format, "pinned", manifest, file=file)


def _same_file_in_worktree(repo: Repository, file: ObjectId) -> Manifest | None:
    """Without its blob, a tracked file is as good as one here that has the very id."""
    try:
        data = read_file(repo, MANIFEST_NAME, LARGEST_MANIFEST)
        return parse_manifest(data.decode("utf-8")) if repo.format.hash_bytes(data) == file else None
    except (PathNotFound, ConfigError, UnicodeDecodeError):
        return None


def _policy(
    fmt: ObjectFormat,
    source: Source,
    manifest: Manifest,
    *,
    commit: ObjectId | None = None,
    file: ObjectId | None = None,
) -> Policy:
    gate, compare = manifest.gate, manifest.compare
    return Policy(source, rules_id(fmt, gate, compare), gate, compare, commit, file)


def bytes_only(fmt: ObjectFormat, note: str | None = None) -> Policy:
    """Give the policy under which the same bytes are all that counts; *note* says why it is this one."""
    return Policy("default", rules_id(fmt, GateSpec(), CompareSpec()), note=note)


def rules_id(fmt: ObjectFormat, gate: GateSpec, compare: CompareSpec) -> ObjectId:
    """Give the id of what rules say: the hash of ``mlstore gate 1`` and their canonical JSON.

    ``[compare]`` is in it as far as it decides what is equivalent: which comparator, which key columns, which
    globals are known. Floats are told by Python's shortest repr.
    """
    value = {
        "default": _plain(gate.default.to_dict()),
        "rules": [_plain(rule.to_dict()) for rule in gate.rules],
        "compare": [
            {"path": rule.path, "as": rule.comparator, "key": list(rule.key), "delimiter": rule.delimiter}
            for rule in compare.rules
        ],
        "allow": sorted(compare.allow),
    }
    return fmt.hash_bytes(encode_object("gate", value))


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    return {key: repr(item) if isinstance(item, float) else item for key, item in value.items()}
