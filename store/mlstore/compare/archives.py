"""Arrays in ``.npz`` files: member by member; the order and the compression of members are no content."""

from __future__ import annotations

import zipfile
import zlib
from typing import Any, BinaryIO

from mlstore.compare.arrays import compare_files
from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Comparison, Details, Settings, Verdict, plural
from mlstore.compare.npy import Header, read_header
from mlstore.errors import CorruptArtifact

NAME = "arrays"
_MOST_MEMBERS = 100_000
_FAILURES = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


def compare(old: Artifact, new: Artifact, settings: Settings) -> Comparison:
    """Compare two archives of arrays.

    Measures: ``arrays_added``, ``arrays_removed``, ``arrays_changed``, ``max_abs``, ``beyond_tolerance``,
    ``forms_changed`` (another shape or dtype), and ``arrays``, which has for each changed member the measures
    of one array.
    """
    with old.open_seekable() as one, new.open_seekable() as other:
        return _compare_open((one, other), (old, new), settings)


def _compare_open(
    files: tuple[BinaryIO, BinaryIO], sides: tuple[Artifact, Artifact], settings: Settings
) -> Comparison:
    before, after = (_open(file, side, settings) for file, side in zip(files, sides, strict=True))
    details = Details(settings)
    members = [_members(archive, side) for archive, side in zip((before, after), sides, strict=True)]
    missing: list[str] = []
    changed: dict[str, Any] = {}
    counts = {"arrays_added": 0, "arrays_removed": 0, "arrays_changed": 0}
    for name in [*members[0], *(name for name in members[1] if name not in members[0])]:
        if name not in members[1]:
            counts["arrays_removed"] += 1
            details.add("removed", f"array '{name}'")
        elif name not in members[0]:
            counts["arrays_added"] += 1
            details.add("added", f"array '{name}'")
        else:
            told = details.count
            measures = _compare_member(name, (before, after), members, details, settings, missing)
            if details.count > told:
                counts["arrays_changed"] += 1
                changed[name] = measures
    words = [plural(count, "array") + " " + kind[7:] for kind, count in counts.items() if count]
    verdict = Verdict.DIFFERENT if details.count else Verdict.EQUIVALENT
    summary = ", ".join(words) or "the same arrays, packed in another way"
    rest = {
        "max_abs": max(
            (one["max_abs"] for one in changed.values() if _is_number(one.get("max_abs"))), default=0.0
        ),
        "beyond_tolerance": sum(one.get("beyond_tolerance", 1) for one in changed.values()),
        "forms_changed": sum(
            bool(one.get("shape_changed", True) or one.get("dtype_changed")) for one in changed.values()
        ),
        "arrays": dict(list(changed.items())[:1000]),
    }
    return Comparison(
        NAME, verdict, summary, details.rows, details.omitted, counts | rest
    ).with_missing(*missing)  # fmt: skip


def _is_number(value: object) -> bool:
    return isinstance(value, float)


def _open(file: BinaryIO, side: Artifact, settings: Settings) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(file)
    except _FAILURES as exc:
        raise CorruptArtifact(f"'{side.name}' is not a .npz file: {exc}") from None
    infos = archive.infolist()
    if len(infos) > _MOST_MEMBERS or sum(info.file_size for info in infos) > settings.unpacked:
        raise CorruptArtifact(f"'{side.name}' unpacks to more than the limit allows")
    return archive


def _members(archive: zipfile.ZipFile, side: Artifact) -> dict[str, zipfile.ZipInfo]:
    found = {info.filename: info for info in archive.infolist()}
    if len(found) != len(archive.infolist()):
        raise CorruptArtifact(f"'{side.name}' has two members of one name")
    return {name.removesuffix(".npy"): info for name, info in sorted(found.items())}


def _compare_member(
    name: str,
    archives: tuple[zipfile.ZipFile, zipfile.ZipFile],
    members: list[dict[str, zipfile.ZipInfo]],
    details: Details,
    settings: Settings,
    missing: list[str],
) -> dict[str, Any]:
    infos = [side[name] for side in members]
    try:
        with archives[0].open(infos[0]) as one, archives[1].open(infos[1]) as other:
            return compare_files((one, other), (name, name), f"array '{name}'", details, settings)  # type: ignore[arg-type]
    except CorruptArtifact as exc:
        reason = exc.message
    except _FAILURES as exc:
        reason = f"'{name}' is damaged: {exc}"
    if (infos[0].CRC, infos[0].file_size) != (infos[1].CRC, infos[1].file_size):
        details.add("changed", f"array '{name}'", note=f"its bytes; {reason}")
    missing.append(reason)
    return {}


def headers(side: Artifact, settings: Settings) -> list[tuple[str, Header]]:
    """Give the name and the header of every array; raises ``CorruptArtifact``."""
    with side.open_seekable() as file:
        archive = _open(file, side, settings)
        found = []
        for name, info in _members(archive, side).items():
            try:
                with archive.open(info) as member:
                    found.append((name, read_header(member, name)))  # type: ignore[arg-type]
            except _FAILURES as exc:
                raise CorruptArtifact(f"'{name}' is damaged: {exc}") from None
        return found
