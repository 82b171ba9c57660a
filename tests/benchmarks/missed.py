"""Why a goal is missed, and what was tried: shown for the rows in which one is."""

from __future__ import annotations

MISSED: dict[tuple[str, str], tuple[str, str]] = {}
