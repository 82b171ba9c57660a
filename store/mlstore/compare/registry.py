"""Which comparator looks at which artifact: by a rule, a plug-in, the content, the suffix, in that order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple, Protocol, runtime_checkable

from mlstore.compare.artifact import Artifact
from mlstore.compare.binary import first_difference
from mlstore.compare.comparison import Comparison, Settings, Verdict
from mlstore.errors import ConfigError, CorruptArtifact, MlstoreError

ENTRY_POINTS = "mlstore.comparators"
"""The group of entry points under which other packages offer comparators."""


@runtime_checkable
class Comparator(Protocol):
    """What a plug-in offers: an object (or module) with these three names."""

    @property
    def name(self) -> str:
        """What rules and answers call it."""

    def accepts(self, name: str, head: bytes) -> bool:
        """Whether it can read a file called *name* that begins with *head* (up to 4096 bytes)."""

    def compare(self, old: Artifact, new: Artifact, settings: Settings) -> Comparison:
        """Compare two artifacts; raises ``CorruptArtifact`` when one cannot be read."""


class _Builtin(NamedTuple):
    """A comparator of ours; its module is imported when it is used."""

    name: str
    home: str
    accepts: Callable[[str, bytes], bool]

    def compare(self, old: Artifact, new: Artifact, settings: Settings) -> Comparison:
        answer: Comparison = import_module(self.home).compare(old, new, settings)
        return answer


def _ends(*suffixes: str) -> Callable[[str, bytes], bool]:
    return lambda name, _head: name.lower().endswith(suffixes)


def _is_model(name: str, head: bytes) -> bool:
    from mlstore.compare.models.unpack import looks_like_model

    return looks_like_model(name, head)


def _is_npz(name: str, head: bytes) -> bool:
    return name.lower().endswith(".npz") and head[:2] == b"PK"


def _is_columnar(name: str, head: bytes) -> bool:
    return head[:4] in (b"PAR1", b"FEA1") or head[:6] == b"ARROW1"


def _is_text(_name: str, head: bytes) -> bool:
    return b"\0" not in head


# The first that accepts is taken: content that cannot be mistaken before suffixes, which anybody can give.
_BUILTINS = (
    _Builtin("array", "mlstore.compare.arrays", lambda _name, head: head[:6] == b"\x93NUMPY"),
    _Builtin("arrays", "mlstore.compare.archives", _is_npz),
    _Builtin("columnar", "mlstore.compare.tables.columnar", _is_columnar),
    _Builtin("model", "mlstore.compare.models.compare", _is_model),
    _Builtin("notebook", "mlstore.compare.notebooks", _ends(".ipynb")),
    _Builtin(
        "configuration",
        "mlstore.compare.configuration",
        _ends(".ini", ".cfg", ".toml", ".yaml", ".yml", ".json"),
    ),
    _Builtin("table", "mlstore.compare.tables.compare", _ends(".csv", ".tsv", ".jsonl", ".ndjson")),
    _Builtin("text", "mlstore.compare.plain", _is_text),
    _Builtin("bytes", "mlstore.compare.opaque", lambda _name, _head: True),
)
BUILTIN_NAMES = tuple(one.name for one in _BUILTINS)
_BYTES = _BUILTINS[-1]


def choose(old: Artifact, new: Artifact, wanted: str | None = None) -> Comparator:
    """Give the comparator for two versions of an artifact.

    *wanted* is the name that a rule asks for; raises ``ConfigError`` when nobody has that name. Two files of
    which each is something else are compared as bytes.
    """
    if wanted is not None:
        return _by_name(wanted)
    heads = [(side.name, side.head()) for side in (old, new)]
    for comparator in (*_plug_ins(), *_BUILTINS):
        accepted = [_accepts(comparator, name, head) for name, head in heads]
        if all(accepted):
            return comparator
        if any(accepted):
            return _BYTES
    return _BYTES


def _accepts(comparator: Comparator, name: str, head: bytes) -> bool:
    if isinstance(comparator, _Builtin):
        return comparator.accepts(name, head)
    try:
        return bool(comparator.accepts(name, head))
    except Exception:  # noqa: BLE001 - somebody else's code: what it cannot judge it does not accept
        return False


def _by_name(wanted: str) -> Comparator:
    known: list[Comparator] = [*_BUILTINS, *_plug_ins()]
    for comparator in known:
        if comparator.name == wanted:
            return comparator
    names = ", ".join(one.name for one in known)
    raise ConfigError(f"'{wanted}' is not a comparator", hint=f"known here: {names}", key="compare.rules.as")


def _plug_ins() -> tuple[Comparator, ...]:
    return _plug_ins_on(tuple(sys.path))


@lru_cache(maxsize=4)
def _plug_ins_on(_path: tuple[str, ...]) -> tuple[Comparator, ...]:
    # Looking through every installed package takes longer than comparing a small file.
    return tuple(_load_plug_ins())


def _load_plug_ins() -> Iterator[Comparator]:
    """Give the comparators of other packages, sorted by name; what cannot be loaded stands for itself."""
    from importlib.metadata import entry_points

    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda one: one.name):
        try:
            loaded: Any = point.load()
            found = loaded() if isinstance(loaded, type) else loaded
        except Exception as exc:  # noqa: BLE001 - an import may raise anything
            yield _Broken(point.name, f"cannot be loaded: {type(exc).__name__}: {exc}")
            continue
        if isinstance(found, Comparator):
            yield found
        else:
            yield _Broken(point.name, "has no 'name', 'accepts' and 'compare'")


class _Broken(NamedTuple):
    """A plug-in that cannot be used: it accepts nothing, and says why when it is asked for by name."""

    name: str
    reason: str

    def accepts(self, _name: str, _head: bytes) -> bool:
        return False

    def compare(self, _old: Artifact, _new: Artifact, _settings: Settings) -> Comparison:
        raise ConfigError(f"the comparator '{self.name}' {self.reason}", hint="mend or uninstall its package")


def compare_artifacts(
    old: Artifact, new: Artifact, settings: Settings | None = None, wanted: str | None = None
) -> Comparison:
    """Compare two versions of an artifact, with the comparator that fits or the one that is *wanted*.

    Bytes that are the same are equal without being understood. What cannot be read is ``incomplete``, never a
    failure: ``missing`` says why. Raises ``ConfigError`` for a comparator that does not exist or cannot be
    loaded, and whatever reading the bytes raises.
    """
    settings = settings or Settings()
    comparator = choose(old, new, wanted)
    if old.size == new.size and first_difference(old.pieces(), new.pieces()) is None:
        return Comparison(comparator.name, Verdict.EQUAL, "the same bytes")
    try:
        answer = comparator.compare(old, new, settings)
    except CorruptArtifact as exc:
        return _unread(comparator.name, old, new, settings, exc.message)
    except (MlstoreError, OSError):
        raise
    except Exception as exc:
        if isinstance(comparator, _Builtin):
            raise
        return _unread(
            comparator.name, old, new, settings, f"the comparator failed: {type(exc).__name__}: {exc}"
        )
    return answer


def _unread(name: str, old: Artifact, new: Artifact, settings: Settings, reason: str) -> Comparison:
    found = _BYTES.compare(old, new, settings)
    return Comparison(
        name,
        Verdict.INCOMPLETE,
        f"the bytes differ, and the content could not be compared: {reason}",
        found.details,
        found.omitted,
        found.measures,
        missing=(reason,),
    )
