"""``mlstore.toml``: which stages the pipeline has, what each one reads, runs and writes."""

from mlstore.manifest.parse import MANIFEST_NAME, parse_manifest
from mlstore.manifest.spec import (
    CompareRule,
    CompareSpec,
    Equal,
    GateRule,
    GateSpec,
    InputSpec,
    Manifest,
    StageSpec,
    StorageSpec,
)

__all__ = [
    "MANIFEST_NAME",
    "CompareRule",
    "CompareSpec",
    "Equal",
    "GateRule",
    "GateSpec",
    "InputSpec",
    "Manifest",
    "StageSpec",
    "StorageSpec",
    "parse_manifest",
]
