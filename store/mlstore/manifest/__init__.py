"""``mlstore.toml``: which stages the pipeline has, what each one reads, runs and writes."""

from mlstore.manifest.parse import LARGEST_MANIFEST, MANIFEST_NAME, parse_manifest
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
    "LARGEST_MANIFEST",
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
