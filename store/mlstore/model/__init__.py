"""Pure values and their canonical bytes: trees, commits, tags, notes, lineage, repository paths.

Nothing here touches a disk. Every codec is strict: ``encode(decode(data)) == data`` or it raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names

if TYPE_CHECKING:
    from mlstore.model.canonical import canonical_json
    from mlstore.model.commit import Commit, Person, StageRecord, decode_commit, encode_commit
    from mlstore.model.lineage import compute_lineage
    from mlstore.model.note import Note, decode_note, encode_note
    from mlstore.model.paths import (
        Collisions,
        collision_key,
        parents_of,
        validate_component,
        validate_path,
        validate_paths,
    )
    from mlstore.model.tag import Tag, decode_tag, encode_tag
    from mlstore.model.times import format_time, parse_time
    from mlstore.model.tree import Tree, TreeEntry, decode_tree, encode_tree

__all__ = [
    "Collisions",
    "Commit",
    "Note",
    "Person",
    "StageRecord",
    "Tag",
    "Tree",
    "TreeEntry",
    "canonical_json",
    "collision_key",
    "compute_lineage",
    "decode_commit",
    "decode_note",
    "decode_tag",
    "decode_tree",
    "encode_commit",
    "encode_note",
    "encode_tag",
    "encode_tree",
    "format_time",
    "parents_of",
    "parse_time",
    "validate_component",
    "validate_path",
    "validate_paths",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Collisions": "mlstore.model.paths",
        "Commit": "mlstore.model.commit",
        "Note": "mlstore.model.note",
        "Person": "mlstore.model.commit",
        "StageRecord": "mlstore.model.commit",
        "Tag": "mlstore.model.tag",
        "Tree": "mlstore.model.tree",
        "TreeEntry": "mlstore.model.tree",
        "canonical_json": "mlstore.model.canonical",
        "collision_key": "mlstore.model.paths",
        "compute_lineage": "mlstore.model.lineage",
        "decode_commit": "mlstore.model.commit",
        "decode_note": "mlstore.model.note",
        "decode_tag": "mlstore.model.tag",
        "decode_tree": "mlstore.model.tree",
        "encode_commit": "mlstore.model.commit",
        "encode_note": "mlstore.model.note",
        "encode_tag": "mlstore.model.tag",
        "encode_tree": "mlstore.model.tree",
        "format_time": "mlstore.model.times",
        "parents_of": "mlstore.model.paths",
        "parse_time": "mlstore.model.times",
        "validate_component": "mlstore.model.paths",
        "validate_path": "mlstore.model.paths",
        "validate_paths": "mlstore.model.paths",
    },
)
