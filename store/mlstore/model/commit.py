"""Commits: the blocks of the chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

from mlstore._lazy import LazyPattern
from mlstore.errors import DecodeError, InvalidPath
from mlstore.hashing import ObjectId
from mlstore.model.canonical import decode_object, encode_readable
from mlstore.model.fields import Fields
from mlstore.model.paths import validate_path
from mlstore.model.times import is_time

RecordKind: TypeAlias = Literal["observed", "asserted"]
MOST_PARENTS = 64
_RECORDS = frozenset({"observed", "asserted"})
_LINE_BREAK = LazyPattern(r"[\x00-\x1f\x7f<>]")
STAGE_NAME = LazyPattern(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")


@dataclass(frozen=True, slots=True)
class Person:
    """Who did it."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class StageRecord:
    """What one pipeline stage did.

    ``inputs`` maps ``path`` or ``path#key`` to the id of the file, or of the value at that key;
    ``outputs`` maps paths to ids; ``upstream`` maps the stages that the inputs come from to their
    lineage. ``record`` is ``observed`` when mlstore itself ran ``command``. ``environment``,
    ``parameters`` and ``duration_ms`` are recorded for people and are no part of the lineage.
    """

    name: str
    command: tuple[str, ...]
    inputs: dict[str, ObjectId]
    outputs: dict[str, ObjectId]
    upstream: dict[str, ObjectId] = field(default_factory=dict)
    record: RecordKind = "asserted"
    environment: ObjectId | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """A snapshot with its parents; a *block* when it has a stage.

    ``height`` is 0 for a genesis commit, else one more than the highest parent. ``lineage`` is that
    of the stage, or the first parent's for a plain snapshot; None before any stage.
    """

    tree: ObjectId
    parents: tuple[ObjectId, ...]
    height: int
    lineage: ObjectId | None
    author: Person
    time: str
    message: str
    stage: StageRecord | None = None
    signature: str | None = None

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]


def encode_commit(commit: Commit) -> bytes:
    """Give the canonical bytes of *commit*; raises ``UsageError`` when no reader would accept them."""
    value: dict[str, Any] = {
        "author": {"email": commit.author.email, "name": commit.author.name},
        "height": commit.height,
        "message": commit.message,
        "parents": list(commit.parents),
        "time": commit.time,
        "tree": commit.tree,
    }
    if commit.lineage is not None:
        value["lineage"] = commit.lineage
    if commit.stage is not None:
        value["stage"] = _encode_stage(commit.stage)
    if commit.signature is not None:
        value["signature"] = commit.signature
    return encode_readable("commit", value, decode_commit)


def _encode_stage(stage: StageRecord) -> dict[str, Any]:
    value: dict[str, Any] = {
        "command": list(stage.command),
        "inputs": stage.inputs,
        "name": stage.name,
        "outputs": stage.outputs,
        "record": stage.record,
    }
    if stage.upstream:
        value["upstream"] = stage.upstream
    if stage.environment is not None:
        value["environment"] = stage.environment
    if stage.parameters:
        value["parameters"] = stage.parameters
    if stage.duration_ms is not None:
        value["duration_ms"] = stage.duration_ms
    return value


def decode_commit(data: bytes) -> Commit:
    """Read a commit; raises ``DecodeError`` for anything not canonical."""
    fields = Fields(decode_object("commit", data), "commit")
    commit = Commit(
        tree=fields.id("tree"),
        parents=fields.ids("parents"),
        height=fields.number("height"),
        lineage=fields.optional_id("lineage"),
        author=decode_person(fields.take("author")),
        time=decode_moment(fields),
        message=fields.text("message"),
        stage=_decode_stage(fields.take("stage")) if fields.has("stage") else None,
        signature=fields.text("signature") if fields.has("signature") else None,
    )
    fields.done()
    if len(commit.parents) > MOST_PARENTS:
        raise DecodeError(f"commit: more than {MOST_PARENTS} parents")
    if len(set(commit.parents)) != len(commit.parents):
        raise DecodeError("commit: a parent is named twice")
    if commit.stage is not None and commit.lineage is None:
        raise DecodeError("commit: a stage without a lineage")
    return commit


def _decode_stage(raw: object) -> StageRecord:
    fields = Fields(raw, "stage")
    stage = StageRecord(
        name=decode_stage_name(fields.text("name")),
        command=fields.texts("command"),
        inputs=fields.id_map("inputs"),
        outputs=fields.id_map("outputs"),
        upstream=_nonempty(fields, "upstream", fields.id_map) if fields.has("upstream") else {},
        record=cast(RecordKind, fields.one_of("record", _RECORDS)),
        environment=fields.optional_id("environment"),
        parameters=_nonempty(fields, "parameters", fields.text_map) if fields.has("parameters") else {},
        duration_ms=fields.number("duration_ms") if fields.has("duration_ms") else None,
    )
    fields.done()
    try:
        for path in stage.outputs:
            validate_path(path)
        for selector in stage.inputs:
            validate_path(selector.partition("#")[0])
    except InvalidPath as exc:
        raise DecodeError(f"stage: {exc.message}") from None
    return stage


def _nonempty(fields: Fields, key: str, take: Any) -> Any:
    value = take(key)
    if not value:
        raise fields.error(f"'{key}' is empty: it must be left out")
    return value


def decode_stage_name(name: str) -> str:
    """Give a stage's name back when it is allowed; raises ``DecodeError``."""
    if not STAGE_NAME.match(name):
        raise DecodeError(f"stage: {name[:80]!r} cannot be the name of a stage")
    return name


def decode_person(raw: object) -> Person:
    """Read an author or tagger."""
    fields = Fields(raw, "person")
    person = Person(name=fields.text("name"), email=fields.text("email"))
    fields.done()
    if _LINE_BREAK.search(person.name) or _LINE_BREAK.search(person.email):
        raise DecodeError("person: a name or address holds a control character or an angle bracket")
    return person


def decode_moment(fields: Fields) -> str:
    """Read the field ``time``."""
    value = fields.text("time")
    if not is_time(value):
        raise fields.error("'time' is not of the form 2026-01-16T15:24:48Z")
    return value
