"""``mlstore.lock``: the pinned pipelines, kept in git. It is the anchor outside the store.

A hash chain alone proves only that it agrees with itself; whoever rewrites all of it has a valid chain
again. The lock names the golden commit, its lineage and height in a file that lives elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from mlstore.config import load_toml
from mlstore.errors import ConfigError
from mlstore.hashing import OBJECT_FORMATS, ObjectId, is_object_id
from mlstore.model.paths import LOCK_NAME

__all__ = ["LOCK_NAME", "Lock", "Pin", "SignedPolicy", "parse_lock", "render_lock"]

_VERSION = 1
_HEAD = """\
# Written by 'mlstore tag --golden' and checked by 'mlstore verify'.
# Keep this file in git: it is the proof, outside the store, of which pipeline is golden.
"""


@dataclass(frozen=True, slots=True)
class Pin:
    """One pinned pipeline: the commit, its lineage (None before any stage), height, and stages' lineages.

    ``gate`` is the id of the rules by which it judges others, None where only the same bytes count.
    ``signed`` says that its tag carries a signature: one that is gone was taken away.
    """

    name: str
    commit: ObjectId
    lineage: ObjectId | None
    height: int
    stages: dict[str, ObjectId] = field(default_factory=dict)
    gate: ObjectId | None = None
    signed: bool = False


@dataclass(frozen=True, slots=True)
class SignedPolicy:
    """Which signatures ``verify`` requires: of every commit but those up to *since*, by one of *principals*.

    No principals: any signer that is allowed. It stands in the lock because no branch of the store holds
    that.
    """

    principals: tuple[str, ...] = ()
    since: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """All of ``mlstore.lock``."""

    object_format: str
    pins: dict[str, Pin] = field(default_factory=dict)
    signatures: SignedPolicy | None = None

    def with_pin(self, pin: Pin) -> Lock:
        """Give the lock with *pin* added or replaced."""
        return replace(self, pins={**self.pins, pin.name: pin})

    def without(self, name: str) -> Lock:
        """Give the lock without the pin called *name*."""
        return replace(self, pins={key: pin for key, pin in self.pins.items() if key != name})


def render_lock(lock: Lock) -> str:
    """Give the file's text: pins and stages sorted by name, so that a diff in git shows what moved."""
    lines = [_HEAD + f"version = {_VERSION}", f'object-format = "{lock.object_format}"']
    if lock.signatures is not None:
        names = ", ".join(map(_quoted, lock.signatures.principals))
        lines += ["", "[signatures]", "required = true"]
        lines += [f"principals = [{names}]"] if names else []
        lines += [f'since = "{lock.signatures.since}"'] if lock.signatures.since else []
    for name, pin in sorted(lock.pins.items()):
        lines += ["", f"[pins.{_quote(name)}]", f'commit = "{pin.commit}"']
        if pin.lineage is not None:
            lines.append(f'lineage = "{pin.lineage}"')
        lines.append(f"height = {pin.height}")
        if pin.gate is not None:
            lines.append(f'gate = "{pin.gate}"')
        if pin.signed:
            lines.append("signed = true")
        if pin.stages:
            lines += ["", f"[pins.{_quote(name)}.stages]"]
            lines += [f'{_quote(stage)} = "{lineage}"' for stage, lineage in sorted(pin.stages.items())]
    return "\n".join(lines) + "\n"


def parse_lock(text: str) -> Lock:
    """Read the file's *text*; raises ``ConfigError``."""
    raw = load_toml(text, LOCK_NAME)
    if type(raw.get("version")) is not int or raw["version"] != _VERSION:
        raise _bad("version", f"is not {_VERSION}")
    name = raw.get("object-format")
    if not isinstance(name, str) or name not in OBJECT_FORMATS:
        raise _bad("object-format", f"is none of {', '.join(OBJECT_FORMATS)}")
    pins = raw.get("pins", {})
    if not isinstance(pins, dict):
        raise _bad("pins", "is not a table")
    found = {name: _parse_pin(name, value) for name, value in pins.items()}
    return Lock(raw["object-format"], found, _parse_policy(raw.get("signatures")))


def _parse_policy(value: Any) -> SignedPolicy | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _bad("signatures", "is not a table")
    if value.get("required") is not True:
        raise _bad("signatures.required", "is not true: take the whole table out to require none")
    names = value.get("principals", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise _bad("signatures.principals", "is not a list of names")
    since = None if "since" not in value else _id(value["since"], "signatures.since")
    return SignedPolicy(tuple(names), since)


def _parse_pin(name: str, value: Any) -> Pin:
    where = f"pins.{name}"
    if not isinstance(value, dict):
        raise _bad(where, "is not a table")
    stages = value.get("stages", {})
    if not isinstance(stages, dict):
        raise _bad(f"{where}.stages", "is not a table")
    height = value.get("height")
    if type(height) is not int or height < 0:
        raise _bad(f"{where}.height", "is not a height")
    return Pin(
        name,
        _id(value.get("commit"), f"{where}.commit"),
        None if "lineage" not in value else _id(value["lineage"], f"{where}.lineage"),
        height,
        {stage: _id(lineage, f"{where}.stages.{stage}") for stage, lineage in stages.items()},
        None if "gate" not in value else _id(value["gate"], f"{where}.gate"),
        _flag(value.get("signed", False), f"{where}.signed"),
    )


def _flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise _bad(where, "is not true or false")
    return value


def _id(value: object, where: str) -> ObjectId:
    if not is_object_id(value):
        raise _bad(where, "is not an object id")
    return ObjectId(str(value))


def _bad(key: str, reason: str) -> ConfigError:
    return ConfigError(
        f"'{LOCK_NAME}': '{key}' {reason}",
        hint="restore the file from git, or write it anew with 'mlstore tag --golden'",
        file=LOCK_NAME,
        key=key,
    )


def _quote(name: str) -> str:
    plain = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if plain else _quoted(name)


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)
