"""What ``[compare]`` of ``mlstore.toml`` says about one path."""

from __future__ import annotations

from dataclasses import replace

from mlstore.compare.comparison import Settings
from mlstore.manifest import CompareSpec


def choices_for(
    spec: CompareSpec, path: str, settings: Settings | None = None
) -> tuple[Settings, str | None]:
    """Give the settings for *path*, and the name of the comparator that a rule asks for."""
    settings = settings or Settings()
    settings = replace(
        settings,
        rows=settings.rows if spec.rows is None else spec.rows,
        memory=settings.memory if spec.memory is None else spec.memory,
        allow=settings.allow.union(spec.allow),
    )
    rule = spec.rule_for(path)
    if rule is None:
        return settings, None
    return replace(settings, key=rule.key, delimiter=rule.delimiter), rule.comparator
