"""Lineage: what a pipeline's content is, whatever the clock, machine, author or number of commits.

A stage's lineage is the hash of the line ``mlstore lineage 1`` and the canonical JSON of
``{command, inputs, outputs, stage, upstream}``, where ``upstream`` maps each stage that an input comes
from to that stage's own lineage. Two runs with equal content anywhere have equal lineage.
"""

from __future__ import annotations

from mlstore.hashing import ObjectFormat, ObjectId
from mlstore.model.canonical import encode_object
from mlstore.model.commit import StageRecord


def compute_lineage(fmt: ObjectFormat, stage: StageRecord) -> ObjectId:
    """Give the lineage of *stage*, from what its record says."""
    value = {
        "command": list(stage.command),
        "inputs": stage.inputs,
        "outputs": stage.outputs,
        "stage": stage.name,
        "upstream": stage.upstream,
    }
    return fmt.hash_bytes(encode_object("lineage", value))
