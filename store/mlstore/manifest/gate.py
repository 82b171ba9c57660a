"""``[gate]`` and ``[[gate.rules]]`` of ``mlstore.toml``: what counts as equal, read and judged for sense."""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn, Protocol

from mlstore.errors import InvalidPath
from mlstore.manifest.spec import EQUAL_WORDS, TOLERANT, Equal, GateRule, GateSpec
from mlstore.model.paths import validate_path

_GATE_KEYS = ("equal", "rtol", "atol", "rules")
_RULE_KEYS = ("path", "equal", "rtol", "atol", "on", "key", "min", "max", "max_change")
_NUMBERS = ("rtol", "atol", "min", "max", "max_change")
_BOUNDS = ("min", "max", "max_change")
# These need to know what they are about: a model and a probe, a key.
_DEFAULTS = ("bytes", "content", "close")
_KEY = re.compile(r"[^\s.#][^.#]*(\.[^.#]+)*\Z")
# Which words each key makes sense with.
_FOR: dict[str, tuple[str, ...]] = {
    "rtol": tuple(sorted(TOLERANT)),
    "atol": tuple(sorted(TOLERANT)),
    "on": ("predictions",),
    "key": ("metric",),
    "min": ("metric",),
    "max": ("metric",),
    "max_change": ("metric",),
}


class Reader(Protocol):
    """What the reader of the file offers to the reader of one table."""

    def fail(self, message: str, hint: str, key: str, nth: int = 1) -> NoReturn:
        """Raise ``ConfigError`` with file, line and key; *nth* counts tables of one name from 1."""

    def unknown(self, word: str, key: str, known: tuple[str, ...], nth: int = 1) -> NoReturn:
        """Raise ``ConfigError`` for a key that is not known."""

    def pattern(self, text: str, key: str, nth: int = 1) -> str:
        """Give a path pattern, or raise ``ConfigError``."""


def read_gate(reader: Reader, value: object) -> GateSpec:
    """Read the table ``gate``; raises ``ConfigError``."""
    if not isinstance(value, dict):
        reader.fail("'gate' is not a table", "write it as [gate]", "gate")
    for key in value:
        if key not in _GATE_KEYS:
            reader.unknown(key, f"gate.{key}", _GATE_KEYS)
    rules = value.get("rules", [])
    if not isinstance(rules, list):
        reader.fail("'gate.rules' is not a list", "write each as [[gate.rules]]", "gate.rules")
    own = {key: item for key, item in value.items() if key != "rules"}
    default = _Rule(reader, own, "gate", 0).read()
    read = (_read_rule(reader, rule, number) for number, rule in enumerate(rules, 1))
    return GateSpec(default, tuple(read))


def _read_rule(reader: Reader, value: object, number: int) -> GateRule:
    where = "gate.rules"
    if not isinstance(value, dict):
        reader.fail(f"'{where}' holds something that is no table", "write each as [[gate.rules]]", where)
    return _Rule(reader, value, where, number).read()


class _Rule:
    """One table, with whatever a complaint about it has to say."""

    def __init__(self, reader: Reader, value: dict[str, Any], where: str, number: int) -> None:
        self._reader = reader
        self._value = value
        self._where = where
        self._number = number

    def read(self) -> GateRule:
        for key in self._value:
            if key not in _RULE_KEYS:
                self._reader.unknown(key, f"{self._where}.{key}", _RULE_KEYS, max(1, self._number))
        equal = self._equal()
        for key, words in _FOR.items():
            if key in self._value and equal not in words:
                self._fail(key, f'does not go with equal = "{equal}"', f"it belongs to {' and '.join(words)}")
        numbers = {name: self._number_of(name) for name in _NUMBERS}
        keys = self._keys(equal)
        if equal == "metric" and all(numbers[name] is None for name in _BOUNDS):
            self._fail("equal", "has no bound", "write min, max or max_change beside it")
        low, high = numbers["min"], numbers["max"]
        if low is not None and high is not None and low > high:
            self._fail("min", "is larger than max", "write the smaller number as min")
        return GateRule(
            self._number,
            self._path(),
            equal,
            numbers["rtol"] or 0.0,
            numbers["atol"] or 0.0,
            self._on(equal),
            keys,
            low,
            high,
            numbers["max_change"],
        )

    def _fail(self, key: str, what: str, hint: str) -> NoReturn:
        name = f"{self._where}.{key}" if key else self._where
        self._reader.fail(f"'{name}' {what}", hint, name, max(1, self._number))

    def _path(self) -> str:
        if not self._number:
            return ""
        path = self._value.get("path")
        if not isinstance(path, str):
            self._fail("path" if "path" in self._value else "", "has no path that is a text",
                       'write for instance path = "models/*.joblib"')  # fmt: skip
        return self._reader.pattern(path, f"{self._where}.path", self._number)

    def _equal(self) -> Equal:
        word = self._value.get("equal", None if self._number else "bytes")
        known = EQUAL_WORDS if self._number else _DEFAULTS
        if word is None:
            self._fail(
                "", "has a rule that does not say what is equal", 'write for instance equal = "content"'
            )
        if not isinstance(word, str) or word not in known:
            what = "needs a rule of its own" if word in EQUAL_WORDS else f"is none of {', '.join(known)}"
            self._fail("equal", what, f'write for instance equal = "{known[1]}"')
        found: Equal = word  # type: ignore[assignment]
        return found

    def _number_of(self, name: str) -> float | None:
        value = self._value.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self._fail(name, "is not a number", f"write for instance {name} = 1e-9")
        if value < 0 and name not in ("min", "max"):
            self._fail(name, "is less than 0", f"write for instance {name} = 1e-9")
        return float(value)

    def _on(self, equal: Equal) -> str | None:
        probe = self._value.get("on")
        if equal != "predictions":
            return None
        if not isinstance(probe, str):
            self._fail("on" if "on" in self._value else "equal", "names no table to predict on",
                       'write for instance on = "data/probe.csv"')  # fmt: skip
        try:
            validate_path(probe)
        except InvalidPath as exc:
            self._fail("on", f"is not a path inside the repository: {exc.message.partition(': ')[2]}",
                       "write it relative to mlstore.toml, with '/' between folders")  # fmt: skip
        return probe

    def _keys(self, equal: Equal) -> tuple[str, ...]:
        value = self._value.get("key")
        if equal != "metric":
            return ()
        keys = [value] if isinstance(value, str) else value
        usable = isinstance(keys, list) and keys and all(isinstance(k, str) and _KEY.match(k) for k in keys)
        if not usable or not isinstance(keys, list) or len(set(keys)) != len(keys):
            self._fail("key" if "key" in self._value else "equal", "has no usable key to look at",
                       'write for instance key = "test.accuracy", or a list of keys')  # fmt: skip
        return tuple(keys)
