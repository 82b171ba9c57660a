"""Two models beside each other: parameters, steps, fitted arrays, versions, and what they would import."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Comparison, Details, Settings, Verdict, plural
from mlstore.compare.models.arrays import compare_arrays
from mlstore.compare.models.describe import Leaf
from mlstore.compare.models.inspect import Inspection, describe_use, inspect_model
from mlstore.compare.models.nodes import Array
from mlstore.compare.numbers import finite
from mlstore.errors import CorruptArtifact

NAME = "model"
_ROLES = ("parameter", "fitted", "value", "version")
_MOST_ONE_SIDED = 100


@dataclass(slots=True)
class _Tally:
    """What was counted while two models were compared."""

    details: Details
    settings: Settings
    sides: tuple[Artifact, Artifact]
    parts: int = 0
    parameters: int = 0
    arrays: int = 0
    values: int = 0
    versions: int = 0
    forms: int = 0
    beyond: int = 0
    apart: Counter[str] = field(default_factory=Counter)
    max_abs: float = 0.0
    unseen: list[str] = field(default_factory=list)
    one_sided: list[dict[str, Any]] = field(default_factory=list)

    def miss(self, role: str, count: int = 1, *, differing: int | None = None) -> None:
        """Count values beyond the tolerance; for parameters all that differ are apart."""
        self.beyond += count
        self.apart[role] += count if differing is None or role != "parameter" else differing


def compare(old: Artifact, new: Artifact, settings: Settings) -> Comparison:
    """Compare two model files without executing anything in them.

    Measures: ``parts_changed``, ``parameters_changed``, ``arrays_changed``, ``values_changed``,
    ``versions_changed``, ``forms_changed`` (arrays of another shape or dtype), ``max_abs`` (over all fitted
    numbers), ``beyond_tolerance``, ``apart`` (the same by role: ``fitted``, ``value``, ``version``, and
    ``parameter``, to which no tolerance applies), ``one_sided_parameters`` (those that only one of the
    two has, each with the class that it belongs to), ``suspicious`` (of the new one), ``old_versions``,
    ``new_versions``, ``old_globals`` and ``new_globals`` (those outside of the allow-list).
    """
    half = Settings(settings.rows, settings.memory // 2, settings.unpacked, allow=settings.allow)
    before, after = inspect_model(old, half), inspect_model(new, half)
    tally = _Tally(Details(settings), settings, (old, new))
    _tell_suspicions(before, after, tally.details)
    alarms = tally.details.count
    _compare_leaves(before.leaves, after.leaves, tally)
    _compare_structure(before, after, tally, alarms)
    missing = [f"{side}: {what}" for side, one in (("old", before), ("new", after)) for what in one.missing]
    if missing and not tally.details.count:
        raise CorruptArtifact("; ".join(missing))
    changed = tally.details.count - alarms
    verdict = Verdict.DIFFERENT if changed or _alarms(before) != _alarms(after) else Verdict.EQUIVALENT
    if alarms:
        missing.append("what the suspicious parts would do when they are loaded")
    answer = Comparison(
        NAME, verdict, _summary(tally, changed, after), tally.details.rows, tally.details.omitted,
        _measures(tally, before, after),
    )  # fmt: skip
    return answer.with_missing(*missing, *tally.unseen)


def _alarms(side: Inspection) -> set[str]:
    return {str(use.value) for use in side.unknown} | {note.kind for note in side.notes}


def _measures(tally: _Tally, before: Inspection, after: Inspection) -> dict[str, Any]:
    return {
        "parts_changed": tally.parts,
        "parameters_changed": tally.parameters,
        "arrays_changed": tally.arrays,
        "values_changed": tally.values,
        "versions_changed": tally.versions,
        "max_abs": finite(tally.max_abs),
        "forms_changed": tally.forms,
        "beyond_tolerance": tally.beyond,
        "apart": {role: tally.apart[role] for role in _ROLES},
        "one_sided_parameters": tally.one_sided,
        "suspicious": after.suspicious,
        "old_versions": before.versions(),
        "new_versions": after.versions(),
        "old_globals": [str(use.value) for use in before.unknown],
        "new_globals": [str(use.value) for use in after.unknown],
    }


def _summary(tally: _Tally, changed: int, after: Inspection) -> str:
    counts = ((tally.parts, "part"), (tally.parameters, "parameter"), (tally.arrays, "fitted array"),
              (tally.values, "fitted value"), (tally.versions, "recorded version"))  # fmt: skip
    words = ", ".join(plural(count, word) for count, word in counts if count)
    text = f"{words} changed" if changed else "the same model in another encoding"
    if tally.arrays or tally.max_abs:
        text += f", max |d| = {tally.max_abs:.3g}"
    return text + ("; it names what is not on the allow-list" if after.suspicious else "")


def _tell_suspicions(before: Inspection, after: Inspection, details: Details) -> None:
    known = {str(use.value) for use in before.unknown}
    for use in after.unknown:
        note = "new" if str(use.value) not in known else "in both"
        details.add("suspicious", f"global '{use.value}'", note=f"{describe_use(use)}; {note}")
    for item in after.notes:
        details.add("suspicious", item.kind, note=item.text)
    later = {str(use.value) for use in after.unknown}
    for use in before.unknown:
        if str(use.value) not in later:
            details.add("suspicious", f"global '{use.value}'", note="in the old one only")


def _compare_leaves(before: tuple[Leaf, ...], after: tuple[Leaf, ...], tally: _Tally) -> None:
    old, new = _by_path(before), _by_path(after)
    replaced: set[str] = set()
    for key in [*old, *(key for key in new if key not in old)]:
        one, other = old.get(key), new.get(key)
        if _is_below(key[0], replaced):
            continue
        if key[1]:
            _compare_classes(key[0], one, other, replaced, tally)
        elif one is None or other is None:
            _tell_one_sided(key[0], one, other, tally)
            _note_one_sided(key[0], one, other, old if other is None else new, tally)
        else:
            _compare_values(one, other, tally)


def _by_path(leaves: tuple[Leaf, ...]) -> dict[tuple[str, bool], Leaf]:
    """Give leaves by path. None may hide behind another one of the same path: it gets a path of its own."""
    found: dict[tuple[str, bool], Leaf] = {}
    seen: Counter[tuple[str, bool]] = Counter()
    for leaf in leaves:
        key = (leaf.path, leaf.role == "class")
        seen[key] += 1
        if seen[key] > 1:
            leaf = replace(leaf, path=f"{leaf.path}#{seen[key]}")  # noqa: PLW2901 - no name holds a plain '#'
        found[leaf.path, key[1]] = leaf
    return found


def _compare_structure(before: Inspection, after: Inspection, tally: _Tally, alarms: int) -> None:
    """Compare what equal leaves leave open; what came or went as a whole is told by its leaves."""
    old, new = (Counter(side.structure) for side in (before, after))
    differing = sorted((old - new) | (new - old))
    known = {path for path, _ in before.structure} & {path for path, _ in after.structure}
    both = [path for path, _ in differing if path in known]
    if not both and (not differing or tally.details.count > alarms):
        return
    for path in dict.fromkeys(both or [path for path, _ in differing]):
        kinds = [", ".join(kind for at, kind in sorted(side) if at == path) or None for side in (old, new)]
        tally.parts += 1
        tally.details.add("changed", f"structure of {path or 'the model'}", kinds[0], kinds[1])


def _is_below(path: str, replaced: set[str]) -> bool:
    """Whether *path* lies in a part that was added, removed or replaced as a whole."""
    if not replaced:
        return False
    if "" in replaced:
        return True
    at = [position for position, char in enumerate(path) if char in ".[("]
    return any(path[:position] in replaced for position in (*at, len(path)))


def _compare_classes(
    path: str, old: Leaf | None, new: Leaf | None, replaced: set[str], tally: _Tally
) -> None:
    if old is not None and new is not None and old.value == new.value:
        return
    tally.parts += 1
    replaced.add(path)
    kind = "added" if old is None else "removed" if new is None else "changed"
    one, other = (None if leaf is None else _class_name(leaf) for leaf in (old, new))
    if old is not None and new is not None and one == other:  # moved to another module
        one, other = str(old.value), str(new.value)
    tally.details.add(kind, path or "the model", one, other)


def _class_name(leaf: Leaf) -> str:
    return str(leaf.value).rpartition(".")[2]


def _count(role: str, tally: _Tally, *, array: bool = False) -> None:
    if role == "version":
        tally.versions += 1
    elif role == "parameter":
        tally.parameters += 1
    elif array:
        tally.arrays += 1
    else:
        tally.values += 1


def _tell_one_sided(path: str, old: Leaf | None, new: Leaf | None, tally: _Tally) -> None:
    leaf = new if old is None else old
    if leaf is None:
        return
    _count(leaf.role, tally, array=isinstance(leaf.value, Array))
    tally.miss(leaf.role)
    kind = "added" if old is None else "removed"
    one, other = (None if side is None else side.text() for side in (old, new))
    tally.details.add(kind, path, one, other)


def _note_one_sided(
    path: str, old: Leaf | None, new: Leaf | None, side: dict[tuple[str, bool], Leaf], tally: _Tally
) -> None:
    leaf = new if old is None else old
    if leaf is None or leaf.role != "parameter" or len(tally.one_sided) >= _MOST_ONE_SIDED:
        return
    owner = side.get((path.rpartition(".")[0], True))
    tally.one_sided.append(
        {
            "path": path,
            "class": None if owner is None else str(owner.value),
            "value": None if isinstance(leaf.value, Array) else leaf.value,
            "array": isinstance(leaf.value, Array),
            "side": "old" if new is None else "new",
        }
    )


def _compare_values(old: Leaf, new: Leaf, tally: _Tally) -> None:
    one, other = old.value, new.value
    if isinstance(one, Array) and isinstance(other, Array):
        _compare_two_arrays(old, one, new, other, tally)
        return
    if type(one) is type(other) and (one == other or (one != one and other != other)):
        return
    _count(new.role, tally)
    note = ""
    if _is_number(one) and _is_number(other):
        distance = float(abs(other - one))  # type: ignore[operator]
        note = f"|d| = {distance:.3g}"
        if new.role != "parameter":
            tally.max_abs = max(tally.max_abs, distance)
        limit = tally.settings.atol + tally.settings.rtol * abs(float(one))  # type: ignore[arg-type]
        tally.miss(new.role, not distance <= limit, differing=distance != 0)
    else:
        tally.miss(new.role)
    texts = (old.text(), new.text())
    if texts[0] == texts[1]:
        texts = (f"{type(one).__name__} {texts[0]}", f"{type(other).__name__} {texts[1]}")
    tally.details.add("changed", new.path or "the value", *texts, note=note)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _compare_two_arrays(old: Leaf, one: Array, new: Leaf, other: Array, tally: _Tally) -> None:
    same_form = (one.dtype, one.shape) == (other.dtype, other.shape)
    same_bytes = one.digest == other.digest and one.size == other.size
    if same_form and same_bytes and one.fortran == other.fortran:
        return
    spread = compare_arrays(one, tally.sides[0], other, tally.sides[1], tally.settings)
    if same_form and spread is not None and not spread.differing:
        return  # the other order in memory, or another NaN
    _count(new.role, tally, array=True)
    tally.forms += not same_form
    if spread is None:
        tally.miss(new.role)
        if one.shape == other.shape:
            tally.unseen.append(f"how far '{new.path}' is from what it was: it is too large to be kept")
    else:
        tally.miss(new.role, spread.beyond, differing=spread.differing)
        tally.max_abs = max(tally.max_abs, spread.max_abs)
    if same_form and spread is not None:
        tally.details.add("changed", f"{new.path} {new.text()}", note=spread.describe(other.shape))
    else:
        note = spread.describe(other.shape) if spread is not None else ""
        tally.details.add("changed", new.path, old.text(), new.text(), note)
