"""``.mlstore/config``: the settings of one repository, TOML.

``[core]`` has ``format`` (the version of the disk format, 1), ``object-format``, ``fsync`` and ``pack``
(true keeps small objects in packs and large data files in chunks, false every object in a file);
``[user]`` has ``name``, ``email`` and ``signingkey``, ``[commit]`` and ``[tag]`` ``sign``, ``[signing]``
``allowedsigners`` and ``revocation``, ``[gate]`` ``requiresignature``. A clone has ``core.filter``, what it
left out, and ``clone.source``. ``[exec]`` and ``[hook]`` have ``mode``, ``enforce`` or ``warn``. A key that
this version does not know is kept.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mlstore._lazy import LazyPattern
from mlstore.errors import ConfigError, UsageError

CONFIG_NAME = "config"
MODES = ("enforce", "warn")
FORMAT_VERSION = 1

_KEY = LazyPattern(r"[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z0-9_-]+)+\Z")
_MOST_DOTS = 64
# A key of more parts than any file of ours has.
_DOTTED = LazyPattern(r"(?:[A-Za-z0-9_-]+[ \t]*\.[ \t]*){65}")
_POSITION = LazyPattern(r"\(at line (\d+)")
# What may not be changed once objects are named by it.
_FIXED = frozenset({"core.format", "core.object-format"})
_FILTER = "core.filter"
# Any other value would stop every command that asks.
_FLAGS = frozenset({"commit.sign", "core.fsync", "core.pack", "tag.sign"})


class Config(NamedTuple):
    """The settings, with the text they were read from (comments survive a change)."""

    text: str
    values: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> Config:
        """Read the file's *text*; raises ``ConfigError``."""
        plain = _parse_plain(text)
        if plain is not None:
            return cls(text, plain)
        return cls(text, load_toml(text, CONFIG_NAME))

    def get(self, key: str) -> Any:
        """Give the value of ``section.key``, None when it is not set."""
        value: Any = self.values
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                return None
            value = value[part]
        return value

    def get_text(self, key: str) -> str | None:
        """Give the value of *key* as text; raises ``ConfigError`` when it is of another type."""
        value = self.get(key)
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"'{key}' in the configuration is not a string", file=CONFIG_NAME, key=key)
        return value

    def get_flag(self, key: str, default: bool) -> bool:
        """Give the value of *key* as true or false."""
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise ConfigError(
                f"'{key}' in the configuration is not true or false",
                hint=f"set it by 'mlstore config {key} {str(default).lower()}', the default",
                file=CONFIG_NAME,
                key=key,
            )
        return value

    def items(self) -> list[tuple[str, Any]]:
        """Give every set key (``section.key``) with its value, sorted."""
        return sorted(_flatten(self.values, ""))

    def with_value(self, key: str, value: str | bool | int) -> Config:
        """Give the settings with *key* set; raises ``UsageError`` for a key that cannot be set."""
        if key == _FILTER:
            raise UsageError(
                f"'{key}' cannot be set: it says what a clone left out",
                hint="'mlstore clone --filter' writes it; anywhere else a blob that is not there is lost",
            )
        if key in _FLAGS and not isinstance(value, bool):
            raise UsageError(f"'{value}' is no value of '{key}'", hint="it is 'true' or 'false'")
        return self._with(key, value)

    def as_clone(self, source: str, left_out: str | None) -> Config:
        """Give the settings of a clone of *source*, with the filter that it *left_out* blobs by."""
        found = self._with("clone.source", source)
        return found if left_out is None else found._with(_FILTER, left_out)

    def get_mode(self, key: str) -> str:
        """Give ``enforce`` (the default) or ``warn``; raises ``ConfigError`` for any other word."""
        mode = self.get_text(key) or "enforce"
        if mode not in MODES:
            raise ConfigError(f"'{key}' is '{mode}'", hint="it is 'enforce' or 'warn'", key=key)
        return mode

    def _with(self, key: str, value: str | bool | int) -> Config:
        import tomlkit

        *sections, name = _split(key)
        document = tomlkit.parse(self.text)
        table: Any = document
        for section in sections:
            if section not in table:
                table[section] = tomlkit.table()
            table = table[section]
            if not hasattr(table, "keys"):
                raise UsageError(f"'{key}' cannot be set: '{section}' is a value, not a section")
        table[name] = value
        return Config.parse(tomlkit.dumps(document))

    def without(self, key: str) -> Config:
        """Give the settings with *key* not set; raises ``UsageError`` when it is not."""
        import tomlkit

        *sections, name = _split(key)
        if self.get(key) is None:
            raise UsageError(f"'{key}' is not set", hint="'mlstore config --list' shows what is")
        document = tomlkit.parse(self.text)
        table: Any = document
        for section in sections:
            table = table[section]
        del table[name]
        return Config.parse(tomlkit.dumps(document))


_PLAIN = {"true": True, "false": False}


def _parse_plain(text: str) -> dict[str, Any] | None:
    """Read TOML as ``init`` writes it; None for all else: that is for a real parser.

    One bare word in brackets, and lines ``word = value``: true, false, a digit, or a string of
    letters, digits, spaces and ``-_.@+/:=~,`` in double quotes. Nothing twice.
    """
    values: dict[str, Any] = {}
    section: dict[str, Any] | None = None
    for line in text.split("\n"):
        if not line:
            continue
        name, equals, value = line.partition(" = ")
        if not equals and line[0] == "[" and line[-1] == "]" and _is_word(line[1:-1]):
            name = line[1:-1]
            if name in values:
                return None
            section = values[name] = {}
        elif equals and section is not None and _is_word(name) and name not in section:
            if value in _PLAIN:
                section[name] = _PLAIN[value]
            elif len(value) == 1 and value in "0123456789":
                section[name] = int(value)
            elif len(value) >= 2 and value[0] == value[-1] == '"' and _is_word(value[1:-1], " .@+/:=~,"):
                section[name] = value[1:-1]
            else:
                return None
        else:
            return None
    return values


def _is_word(text: str, more: str = "") -> bool:
    return text.isascii() and text.translate({ord(char): "x" for char in f"-_{more}"}).isalnum()


def _split(key: str) -> list[str]:
    if not _KEY.match(key):
        raise UsageError(
            f"'{key}' is not a configuration key", hint="write it as 'section.key', like 'user.name'"
        )
    if key in _FIXED:
        raise UsageError(f"'{key}' cannot be changed: the ids of all objects depend on it")
    return key.split(".")


def _flatten(value: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, item in value.items():
        if isinstance(item, dict):
            found += _flatten(item, f"{prefix}{name}.")
        else:
            found.append((prefix + name, item))
    return found


def load_toml(text: str, file: str) -> dict[str, Any]:
    """Read TOML; raises ``ConfigError`` that names the *file*, also for what would exhaust the parser."""
    import tomllib

    try:
        if any(line.count(".") > _MOST_DOTS and _DOTTED.search(line) for line in text.split("\n")):
            raise RecursionError  # before the parser takes time that grows with its square
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(
            f"'{file}' is nested too deeply", hint="no setting of mlstore is nested so", file=file
        ) from None
    except ValueError as exc:  # a number of thousands of digits is no TOMLDecodeError
        raise _toml_error(exc, file) from None


def _toml_error(exc: ValueError, file: str) -> ConfigError:
    """Give *exc* as a ``ConfigError`` that names the file and the line."""
    text = str(exc)
    found = _POSITION.search(text)
    line = int(found.group(1)) if found else None
    reason = text.partition(" (at ")[0]
    where = f"{file}:{line}" if line else file
    return ConfigError(
        f"'{where}' is not valid TOML: {reason[:1].lower()}{reason[1:]}",
        hint="mend the line, then try again",
        file=file,
        line=line,
    )
