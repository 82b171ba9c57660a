"""Reading ``mlstore.toml``: every complaint names the file, the line and the key."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from mlstore.config import load_toml
from mlstore.errors import ConfigError, InvalidPath
from mlstore.manifest.gate import read_gate
from mlstore.manifest.spec import CompareRule, CompareSpec, InputSpec, Manifest, StageSpec, StorageSpec
from mlstore.model.commit import STAGE_NAME
from mlstore.model.paths import validate_path
from mlstore.model.patterns import has_magic

MANIFEST_NAME = "mlstore.toml"
LARGEST_MANIFEST = 16 << 20

_TOP_LEVEL = ("stages", "gate", "storage", "compare", "reproduce", "remotes")
_STAGE_KEYS = ("command", "inputs", "outputs", "env")
_STORAGE_KEYS = ("chunk", "whole")
_COMPARE_KEYS = ("rows", "memory", "allow", "rules")
_REPRODUCE_KEYS = ("env",)
_RULE_KEYS = ("path", "as", "key", "delimiter")
_SIZE = re.compile(r"([0-9]{1,12}) ?(|KiB|MiB|GiB)\Z")
_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_LEAST_MEMORY = 16 << 20
_SHELL = ("sh", "-c")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEY_PATH = re.compile(r"[^\s.#][^.#]*(\.[^.#]+)*\Z")


def parse_manifest(text: str, name: str = MANIFEST_NAME) -> Manifest:
    """Read the file's *text*; raises ``ConfigError`` with ``file``, ``line`` and ``key`` in its data."""
    return _Reader(text, name, load_toml(text, name)).read()


class _Reader:
    def __init__(self, text: str, name: str, raw: dict[str, Any]) -> None:
        self._lines = text.splitlines()
        self._name = name
        self._raw = raw

    def read(self) -> Manifest:
        for key in self._raw:
            if key not in _TOP_LEVEL:
                self.unknown(key, key, _TOP_LEVEL)
        stages = self._raw.get("stages", {})
        if not isinstance(stages, dict):
            self.fail("'stages' is not a table", "write each stage as [stages.NAME]", "stages")
        specs = {name: self._stage(name, value) for name, value in stages.items()}
        storage = self._storage(self._raw.get("storage", {}))
        compare = self._compare(self._raw.get("compare", {}))
        gate = read_gate(self, self._raw.get("gate", {}))
        env = self._reproduce(self._raw.get("reproduce", {}))
        return Manifest(specs, storage, compare, gate, env, self._raw)

    def _storage(self, value: object) -> StorageSpec:
        if not isinstance(value, dict):
            self.fail("'storage' is not a table", "write it as [storage]", "storage")
        for key in value:
            if key not in _STORAGE_KEYS:
                self.unknown(key, f"storage.{key}", _STORAGE_KEYS)
        patterns = {
            key: tuple(self.pattern(text, f"storage.{key}") for text in self.texts(value, "storage", key))
            for key in _STORAGE_KEYS
        }
        return StorageSpec(**patterns)

    def _compare(self, value: object) -> CompareSpec:
        if not isinstance(value, dict):
            self.fail("'compare' is not a table", "write it as [compare]", "compare")
        for key in value:
            if key not in _COMPARE_KEYS:
                self.unknown(key, f"compare.{key}", _COMPARE_KEYS)
        rows = value.get("rows")
        if rows is not None and (type(rows) is not int or rows < 0):
            self.fail(
                "'compare.rows' is not a number of rows", "write for instance rows = 50", "compare.rows"
            )
        rules = value.get("rules", [])
        if not isinstance(rules, list):
            self.fail("'compare.rules' is not a list", "write each as [[compare.rules]]", "compare.rules")
        allow = tuple(self.texts(value, "compare", "allow"))
        return CompareSpec(rows, self._memory(value.get("memory")), allow, tuple(map(self._rule, rules)))

    def _reproduce(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, dict):
            self.fail("'reproduce' is not a table", "write it as [reproduce]", "reproduce")
        for key in value:
            if key not in _REPRODUCE_KEYS:
                self.unknown(key, f"reproduce.{key}", _REPRODUCE_KEYS)
        return self._variables(value, "reproduce")

    def _variables(self, table: dict[str, Any], where: str) -> tuple[str, ...]:
        names = self.texts(table, where, "env")
        for name in names:
            if not _VARIABLE.match(name):
                self.fail(
                    f"'{name}' in '{where}.env' is not the name of a variable",
                    'write names alone, for instance env = ["CUDA_VISIBLE_DEVICES"]',
                    f"{where}.env",
                )
        return tuple(names)

    def _memory(self, value: object) -> int | None:
        if value is None:
            return None
        match = _SIZE.match(str(value)) if isinstance(value, str | int) else None
        size = int(match[1]) * _UNITS[match[2]] if match else 0
        if size < _LEAST_MEMORY:
            self.fail(
                "'compare.memory' is not a size of at least 16 MiB",
                'write for instance memory = "512 MiB"',
                "compare.memory",
            )
        return size

    def _rule(self, value: object) -> CompareRule:
        where = "compare.rules"
        if not isinstance(value, dict):
            self.fail(f"'{where}' holds something that is no table", "write each as [[compare.rules]]", where)
        for key in value:
            if key not in _RULE_KEYS:
                self.unknown(key, f"{where}.{key}", _RULE_KEYS)
        for key in ("path", "as", "delimiter"):
            if not isinstance(value.get(key, ""), str):
                self.fail(f"'{where}.{key}' is not a text", "put it in quotes", f"{where}.{key}")
        if "path" not in value:
            self.fail(f"a rule in '{where}' has no path", 'write for instance path = "data/*.csv"', where)
        delimiter = value.get("delimiter")
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
            self.fail(
                f"'{where}.delimiter' is not one character", 'write for instance ";"', f"{where}.delimiter"
            )
        keys = tuple(self.texts(value, where, "key"))
        return CompareRule(self.pattern(value["path"], f"{where}.path"), value.get("as"), keys, delimiter)

    def _stage(self, name: str, value: object) -> StageSpec:
        where = f"stages.{name}"
        if not STAGE_NAME.match(name):
            self.fail(
                f"{name!r} cannot be the name of a stage", "use letters, digits, '-', '_' and '.'", where
            )
        if not isinstance(value, dict):
            self.fail(f"'{where}' is not a table", f"write it as [{where}]", where)
        for key in value:
            if key not in _STAGE_KEYS:
                self.unknown(key, f"{where}.{key}", _STAGE_KEYS)
        command, shell = self._command(value.get("command"), f"{where}.command")
        inputs = tuple(self._input(text, f"{where}.inputs") for text in self.texts(value, where, "inputs"))
        outputs = tuple(
            self.pattern(text, f"{where}.outputs") for text in self.texts(value, where, "outputs")
        )
        if not outputs:
            self.fail(
                f"stage '{name}' declares no outputs",
                "name the files that it writes: without them nothing is proved",
                where,
            )
        env = self._variables(value, where)
        return StageSpec(name, command, shell, inputs, outputs, self._line(where), env)

    def _command(self, value: Any, key: str) -> tuple[tuple[str, ...], bool]:
        if isinstance(value, str) and value.strip() and "\0" not in value:
            return (*_SHELL, value), True
        texts = isinstance(value, list) and all(isinstance(v, str) and "\0" not in v for v in value)
        if texts and value and value[0]:
            return tuple(value), False
        what = "is missing" if value is None else "is neither a text nor a list of texts"
        raise self._error(f"'{key}' {what}", 'write for instance command = ["python", "train.py"]', key)

    def texts(self, stage: dict[str, Any], where: str, key: str) -> list[str]:
        value = stage.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(
                f"'{where}.{key}' is not a list of texts",
                f'write for instance {key} = ["data/raw.csv"]',
                f"{where}.{key}",
            )
        if len(set(value)) != len(value):
            twice = next(item for item in value if value.count(item) > 1)
            self.fail(f"'{where}.{key}' names '{twice}' twice", "name it once", f"{where}.{key}")
        return value

    def _input(self, text: str, key: str) -> InputSpec:
        pattern, hash_sign, selected = text.partition("#")
        self.pattern(pattern, key)
        if not hash_sign:
            return InputSpec(text, pattern, None)
        if not _KEY_PATH.match(selected):
            self.fail(
                f"'{text}' in '{key}' has no usable key behind the '#'",
                "write for instance config.ini#section.option",
                key,
            )
        if has_magic(pattern):
            self.fail(f"'{text}' in '{key}' selects a key from a pattern", "name one file", key)
        return InputSpec(text, pattern, selected)

    def pattern(self, text: str, key: str, nth: int = 1) -> str:
        """Give *text* if it is a path pattern inside the repository; raises ``ConfigError``."""
        plain = text.rstrip("/")
        try:
            # Wildcards are no part of a name: judge the pattern as if they were letters.
            validate_path(re.sub(r"[*?\[\]!]", "x", plain))
        except InvalidPath as exc:
            reason = exc.message.partition(": ")[2]
            self.fail(
                f"'{text}' in '{key}' is not a path inside the repository: {reason}",
                "write it relative to mlstore.toml, with '/' between folders",
                key,
                nth,
            )
        if "#" in plain:
            self.fail(f"'{text}' in '{key}' holds a '#'", "only inputs may select a key", key, nth)
        return text

    def unknown(self, word: str, key: str, known: tuple[str, ...], nth: int = 1) -> NoReturn:
        """Raise ``ConfigError`` for a key that is not known, with the one that was meant if that is clear."""
        from difflib import get_close_matches

        close = get_close_matches(word, known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(known)}"
        self.fail(f"'{key}' is not known", hint, key, nth)

    def fail(self, message: str, hint: str, key: str, nth: int = 1) -> NoReturn:
        """Raise ``ConfigError`` for *key* (dotted), which stands in the *nth* table of its name."""
        raise self._error(message, hint, key, nth)

    def _error(self, message: str, hint: str, key: str, nth: int = 1) -> ConfigError:
        line = self._line(key, nth)
        return ConfigError(
            f"'{self._name}:{line}': {message}", hint=hint, file=self._name, line=line, key=key
        )

    def _line(self, key: str, nth: int = 1) -> int:
        """Find the line on which *key* (dotted) stands; its table's header where it has none, else 1."""
        table, _, last = key.rpartition(".")
        if nth > 1:  # a complaint about the table as a whole names no key in it
            return self._line_of_nth(key if self._nth(key, nth) is not None else table, last, nth)
        start = self._find(_header(key), 0) or self._find(_header(table), 0)
        if start is None:
            top = re.escape(key.partition(".")[0])
            start = self._find(re.compile(rf"\s*\[?\s*[\"']?{top}\b"), 0) or 0
        if _header(key).match(self._lines[start] if self._lines else ""):
            return start + 1
        own = self._find(re.compile(rf"\s*[\"']?{re.escape(last)}[\"']?\s*="), start)
        return (own if own is not None else start) + 1

    def _line_of_nth(self, table: str, last: str, nth: int) -> int:
        start = self._nth(table, nth)
        if start is None:
            return self._line(f"{table}.{last}")
        own = re.compile(rf"\s*[\"']?{re.escape(last)}[\"']?\s*=")
        for number in range(start + 1, len(self._lines)):
            if own.match(self._lines[number]):
                return number + 1
            if self._lines[number].lstrip().startswith("["):
                break
        return start + 1

    def _nth(self, table: str, nth: int) -> int | None:
        """Find the header of the *nth* table called *table*."""
        found = [number for number, line in enumerate(self._lines) if _header(table).match(line)]
        return found[nth - 1] if len(found) >= nth else None

    def _find(self, pattern: re.Pattern[str], start: int) -> int | None:
        for number, line in enumerate(self._lines[start:], start):
            if pattern.match(line):
                return number
        return None


def _header(table: str) -> re.Pattern[str]:
    parts = [rf"[\"']?{re.escape(part)}[\"']?" for part in table.split(".", 1)]
    return re.compile(r"\s*\[\[?\s*" + r"\s*\.\s*".join(parts) + r"\s*\]\]?")
