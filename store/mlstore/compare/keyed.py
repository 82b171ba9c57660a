"""Configuration files by key: ini, toml, yaml and json.

A stage that reads ``config.ini#data`` depends on the values of that section and on nothing else in the
file: not on comments, order, or a date elsewhere. In an ini file a section is its own keys; ``DEFAULT``
is a section like any other and is named where it counts. All ini values are text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mlstore.errors import ConfigError, PathNotFound
from mlstore.hashing import ObjectFormat, ObjectId
from mlstore.model.canonical import encode_object

KEYED_SUFFIXES = frozenset({".ini", ".cfg", ".toml", ".yaml", ".yml", ".json"})
_INDEX = re.compile(r"[0-9]{1,9}\Z")
ABSENT: Final = object()
"""What ``diff_values`` takes for a side that has no value at all."""
# Nobody writes such a file by hand; a few lines of YAML aliases do.
_MOST_VALUES = 1_000_000
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class KeyChange:
    """One key whose value differs; ``old`` or ``new`` is None where the key is not there."""

    key: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        if self.old is None:
            return f"{self.key} added: {self.new}"
        if self.new is None:
            return f"{self.key} removed: {self.old}"
        return f"{self.key} {self.old} -> {self.new}"


def is_keyed(name: str) -> bool:
    """Whether a file called *name* is one that keys can be selected from."""
    return _suffix(name) in KEYED_SUFFIXES


def load_values(data: bytes, name: str) -> dict[str, Any]:
    """Read a configuration file's *data*; its suffix says how. Raises ``ConfigError``."""
    suffix = _suffix(name)
    if suffix not in KEYED_SUFFIXES:
        raise ConfigError(
            f"'{name}' has no keys to select",
            hint=f"keys are read from {', '.join(sorted(KEYED_SUFFIXES))}",
            file=name,
        )
    try:
        text = data.decode("utf-8-sig")
        value = _tame(_PARSERS[suffix](text), [_MOST_VALUES])
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"'{name}' cannot be read: {_first_line(exc)}", file=name) from None
    if not isinstance(value, dict):
        raise ConfigError(f"'{name}' holds no keys at the top", file=name)
    return value


def _load_ini(text: str) -> dict[str, Any]:
    from configparser import ConfigParser
    from configparser import Error as IniError

    # No section is called "\0": so DEFAULT is an ordinary one, and nothing is inherited.
    parser = ConfigParser(default_section="\0", interpolation=None, strict=True, allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except IniError as exc:
        raise ValueError(_first_line(exc)) from None
    except AttributeError:  # the parser's own, about a continued line behind a key without a value
        raise ValueError("a key without a value goes on in the next line") from None
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _load_toml(text: str) -> dict[str, Any]:
    from mlstore.config import load_toml

    try:
        return load_toml(text, "it")
    except ConfigError as exc:
        raise ValueError(exc.message.partition("TOML: ")[2] or exc.message) from None


def _load_yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise ValueError(_first_line(exc)) from None


def _tame(value: Any, left: list[int], depth: int = 0) -> Any:
    """Give *value* as dicts, lists and leaves, each a value of its own; raises ``ValueError`` without end.

    A YAML set is a mapping to nothing: as such it has an order.
    """
    left[0] -= 1
    if left[0] < 0 or depth > _DEEPEST:
        raise ValueError("it is nested too deeply, or repeats itself too often")
    if isinstance(value, dict):
        return {key: _tame(item, left, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tame(item, left, depth + 1) for item in value]
    return dict.fromkeys(value) if isinstance(value, set | frozenset) else value


_PARSERS: Mapping[str, Any] = {
    ".ini": _load_ini,
    ".cfg": _load_ini,
    ".toml": _load_toml,
    ".yaml": _load_yaml,
    ".yml": _load_yaml,
    ".json": json.loads,
}


def select(value: Any, key: str, name: str = "") -> Any:
    """Give the value at the dotted *key*; a number selects from a list.

    The longest name that exists wins where names hold dots themselves. Raises ``PathNotFound``.
    """
    found = _select(value, key.split("."))
    if found is ABSENT:
        raise PathNotFound(
            f"'{name}#{key}' is not there: '{name}' has no such key",
            hint="check the key",
            path=f"{name}#{key}",
        )
    return found


def _select(value: Any, parts: list[str]) -> Any:
    if not parts:
        return value
    if isinstance(value, list):
        if _INDEX.match(parts[0]) and int(parts[0]) < len(value):
            return _select(value[int(parts[0])], parts[1:])
        return ABSENT
    if not isinstance(value, dict):
        return ABSENT
    for count in range(len(parts), 0, -1):
        name = ".".join(parts[:count])
        for key in value:
            if str(key) == name:
                found = _select(value[key], parts[count:])
                if found is not ABSENT:
                    return found
    return ABSENT


def value_id(fmt: ObjectFormat, value: Any) -> ObjectId:
    """Give the id of a configuration *value*: the hash of ``mlstore value 1`` and its canonical JSON.

    What JSON without floats cannot say is tagged: ``{"$float": "0.1"}`` (Python's shortest repr),
    ``{"$date": "2026-01-16"}``; a key that begins with ``$`` gets a second one.
    """
    return fmt.hash_bytes(encode_object("value", _plain(value)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {("$" if str(k).startswith("$") else "") + _key(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else {"$int": hex(value)}
    if isinstance(value, float):
        return {"$float": repr(value)}
    if hasattr(value, "isoformat"):
        return {"$date": value.isoformat()}
    return {f"${type(value).__name__}": repr(value)}


def _key(key: Any) -> str:
    return key if isinstance(key, str) else f"${type(key).__name__}:{key}"


def flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """Give every leaf of *value* as text, by its dotted key (list items by number)."""
    return {key: _leaf(leaf) for key, leaf in _leaves(value, prefix).items()}


def _leaves(value: Any, prefix: str, beside: Any = ABSENT) -> dict[str, Any]:
    """Give the leaves of *value*; an empty table or list is one, unless *beside* has values in its place."""
    items = _items(value)
    if not items:
        return {} if value is ABSENT or (items is not None and _items(beside)) else {prefix: value}
    others = _items(beside) or {}
    found: dict[str, Any] = {}
    for key, item in items.items():
        found |= _leaves(item, f"{prefix}.{key}" if prefix else str(key), others.get(key, ABSENT))
    return found


def _items(value: Any) -> dict[Any, Any] | None:
    if isinstance(value, dict):
        return value
    return dict(enumerate(value)) if isinstance(value, list) else None


def _leaf(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        return hex(value)
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


def diff_values(old: Any, new: Any, prefix: str = "") -> list[KeyChange]:
    """Give the keys whose values differ, sorted; order and comments do not count.

    A value that only changed its type (1000 and "1000") is told with its type. Either side may be ``ABSENT``.
    """
    before, after = _leaves(old, prefix, new), _leaves(new, prefix, old)
    changes = []
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key, ABSENT), after.get(key, ABSENT)
        if one is ABSENT or other is ABSENT or not _equal(one, other):
            changes.append(_change(key, one, other))
    if not changes and not _equal(old, new):  # keys that hold dots look alike
        changes = [_change(prefix or "(all)", old, new)]
    return changes


def _equal(one: Any, other: Any) -> bool:
    # Not by ==, for which True is 1.
    texts = [json.dumps(_plain(value), sort_keys=True) for value in (one, other)]
    return texts[0] == texts[1]


def _change(key: str, old: Any, new: Any) -> KeyChange:
    texts = [None if value is ABSENT else _leaf(value) for value in (old, new)]
    if texts[0] == texts[1]:
        texts = [f"{type(value).__name__} {text}" for value, text in zip((old, new), texts, strict=True)]
    return KeyChange(key, *texts)


def _suffix(name: str) -> str:
    base = name.rpartition("/")[2]
    return "." + base.rpartition(".")[2].lower() if "." in base else ""


def _first_line(exc: BaseException) -> str:
    return str(exc).strip().partition("\n")[0].rstrip(":")
