"""Configuration files: what differs by key. Comments, layout and order are no content."""

from __future__ import annotations

from typing import Any

from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Comparison, Details, Settings, Verdict, plural
from mlstore.compare.keyed import KeyChange, diff_values, load_values
from mlstore.errors import ConfigError, CorruptArtifact

NAME = "configuration"
# A value takes many times its text in memory.
_GROWTH = 16
_SHORTEST_MOVED = 3
# Looking for moves takes as many steps as there are pairs of keys.
_MOST_PAIRS = 250_000
_KINDS = ("added", "removed", "changed", "moved")


def compare(old: Artifact, new: Artifact, settings: Settings) -> Comparison:
    """Compare two configurations by key. Measures: ``added``, ``removed``, ``changed``, ``moved``."""
    before, after = (load(side, settings) for side in (old, new))
    changes = diff_values(before, after)
    if not changes:
        return Comparison(
            NAME, Verdict.EQUIVALENT, "the same keys and values; comments, order or layout differ"
        )
    moved, rest = _moves(changes)
    details = Details(settings)
    counts = dict.fromkeys(_KINDS, 0)
    for gone, come in moved:
        counts["moved"] += 1
        details.add("moved", f"{gone.key} to {come.key}", note=f"value {come.new}")
    for change in rest:
        kind = "added" if change.old is None else "removed" if change.new is None else "changed"
        counts[kind] += 1
        details.add(kind, change.key, change.old, change.new)
    words = [f"{plural(counts[kind], 'key')} {kind}" for kind in reversed(_KINDS) if counts[kind]]
    return Comparison(NAME, Verdict.DIFFERENT, ", ".join(words), details.rows, details.omitted, dict(counts))


def load(side: Artifact, settings: Settings) -> Any:
    """Read a configuration's values; raises ``CorruptArtifact``."""
    if side.size * _GROWTH > settings.memory:
        raise CorruptArtifact(f"'{side.name}' is too large to be read by key ({side.size} bytes)")
    data = b"".join(side.pieces())
    _refuse_repeated(data, side)
    try:
        return load_values(data, side.name)
    except ConfigError as exc:
        # A JSON file may hold a list, which no stage can select from but two of which can be compared.
        value = _load_list(data) if side.suffix == ".json" else None
        if value is not None:
            return value
        raise CorruptArtifact(exc.message) from None


def _refuse_repeated(data: bytes, side: Artifact) -> None:
    """Raise for a key that stands twice in one place: readers disagree about which of them counts."""
    keys = {".json": _repeated_in_json, ".yaml": _repeated_in_yaml, ".yml": _repeated_in_yaml}
    try:
        repeated = keys[side.suffix](data) if side.suffix in keys else None
    except (ValueError, RecursionError):
        return  # whoever reads the values says so
    if repeated is not None:
        raise CorruptArtifact(f"'{side.name}' has the key '{repeated}' twice in one place")


def _repeated_in_json(data: bytes) -> str | None:
    import json

    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        if len(dict(pairs)) != len(pairs):
            found.append(_first_repeated([key for key, _ in pairs]))

    json.loads(data.decode("utf-8-sig"), object_pairs_hook=look)
    return found[0] if found else None


def _first_repeated(items: list[Any]) -> Any:
    seen: set[Any] = set()
    return next(item for item in items if item in seen or seen.add(item))  # type: ignore[func-returns-value]


def _repeated_in_yaml(data: bytes) -> str | None:
    import yaml

    try:
        root = yaml.compose(data.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    nodes, seen = [root], set()
    while nodes:
        node = nodes.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            names = [(key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if len(set(names)) != len(names):
                return str(_first_repeated(names)[1])
            nodes += [part for pair in node.value for part in pair]
    return None


def _load_list(data: bytes) -> Any:
    import json

    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _moves(changes: list[KeyChange]) -> tuple[list[tuple[KeyChange, KeyChange]], list[KeyChange]]:
    """Find what was taken away in one place and came back in another.

    It is a move when the last part of the key stayed, or when the value is long enough to be known again and
    there is only one such on either side.
    """
    gone = [one for one in changes if one.new is None]
    come = [one for one in changes if one.old is None]
    if len(gone) * len(come) > _MOST_PAIRS:
        return [], changes
    pairs = []
    for test in (_same_name, _same_value):
        for one in list(gone):
            fits = [other for other in come if test(one, other)]
            rivals = [other for other in gone if other.old == one.old]
            if len(fits) == 1 and (test is _same_name or len(rivals) == 1):
                pairs.append((one, fits[0]))
                gone.remove(one)
                come.remove(fits[0])
    taken = {id(change) for pair in pairs for change in pair}
    return pairs, [one for one in changes if id(one) not in taken]


def _same_name(one: KeyChange, other: KeyChange) -> bool:
    return one.old == other.new and one.key.rpartition(".")[2] == other.key.rpartition(".")[2]


def _same_value(one: KeyChange, other: KeyChange) -> bool:
    return one.old == other.new and len(one.old or "") >= _SHORTEST_MOVED
