"""Recorded environments: what differs between the machines that two blocks were made on.

An environment is a blob of canonical JSON, written by ``mlstore run``: ``python``, ``platform``,
``cpu``, ``packages`` (name -> version), ``blas``, ``variables``, ``git`` and ``mlstore``. It comes out
of a store, so nothing about its shape is taken for granted here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# What most often changes a result comes first.
_SECTIONS = ("python", "packages", "blas", "variables", "cpu", "platform", "git", "mlstore", "source")
# Their entries have names that say enough on their own.
_BARE = frozenset({"packages", "variables"})


def load_environment(data: bytes) -> dict[str, Any]:
    """Read an environment blob; anything that is none is the empty environment."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def diff_environments(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Tell what differs, the likeliest cause first: ``["numpy 1.26.4 -> 2.0.1", "cpu ..."]``."""
    known = [section for section in _SECTIONS if section in old or section in new]
    others = sorted((old.keys() | new.keys()) - set(_SECTIONS))
    changes = []
    for section in (*known, *others):
        before, after = (_entries(section, source.get(section)) for source in (old, new))
        for name in sorted(before.keys() | after.keys()):
            changes += _tell(name, before.get(name), after.get(name))
    return changes


def _entries(section: str, value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        return {section: _text(value)}
    prefix = "" if section in _BARE else f"{section} "
    return {prefix + str(name): _text(item) for name, item in value.items()}


def _tell(name: str, old: str | None, new: str | None) -> list[str]:
    if old == new:
        return []
    if old is None:
        return [f"{name} added: {new}"]
    if new is None:
        return [f"{name} removed: {old}"]
    return [f"{name} {old} -> {new}"]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
