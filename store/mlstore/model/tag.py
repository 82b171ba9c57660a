"""Annotated tags: a name for an object, with who gave it, when and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlstore.hashing import ObjectId
from mlstore.model.canonical import decode_object, encode_readable
from mlstore.model.commit import Person, decode_moment, decode_person
from mlstore.model.fields import Fields

TARGET_KINDS = frozenset({"blob", "tree", "commit", "tag"})


@dataclass(frozen=True, slots=True)
class Tag:
    """An annotated tag; ``target_kind`` is blob, tree, commit or tag."""

    name: str
    target: ObjectId
    target_kind: str
    tagger: Person
    time: str
    message: str
    signature: str | None = None


def encode_tag(tag: Tag) -> bytes:
    """Give the canonical bytes of *tag*; raises ``UsageError`` when no reader would accept them."""
    value: dict[str, Any] = {
        "kind": tag.target_kind,
        "message": tag.message,
        "name": tag.name,
        "tagger": {"email": tag.tagger.email, "name": tag.tagger.name},
        "target": tag.target,
        "time": tag.time,
    }
    if tag.signature is not None:
        value["signature"] = tag.signature
    return encode_readable("tag", value, decode_tag)


def decode_tag(data: bytes) -> Tag:
    """Read a tag; raises ``DecodeError`` for anything not canonical."""
    fields = Fields(decode_object("tag", data), "tag")
    tag = Tag(
        name=fields.text("name"),
        target=fields.id("target"),
        target_kind=fields.one_of("kind", TARGET_KINDS),
        tagger=decode_person(fields.take("tagger")),
        time=decode_moment(fields),
        message=fields.text("message"),
        signature=fields.text("signature") if fields.has("signature") else None,
    )
    fields.done()
    return tag
