"""Looking at a part of the content, in an order that nobody can foresee: what was not looked at is counted.

The order is a keyed hash of the ids, by a seed that is drawn anew each time and told: with it the same blobs
are looked at again. Whoever damages or forges a blob cannot know whether it will be among them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from blake3 import blake3

from mlstore._lazy import LazyPattern
from mlstore.errors import UsageError
from mlstore.hashing import ObjectId

_CONTEXT = "mlstore 2026 order of blobs in a sampled verification"
_PERCENT = LazyPattern(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%\Z")
_DURATION = LazyPattern(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)\Z")
_SEED = LazyPattern(r"[0-9A-Za-z._-]{1,64}\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Sample(NamedTuple):
    """Part *number* (from 1) of *parts*, by the first bytes of the id: all parts together are everything."""

    number: int
    parts: int

    @classmethod
    def parse(cls, text: str) -> Sample:
        """Read ``n/t``; raises ``UsageError`` unless 1 <= n <= t <= 65536."""
        number, _, parts = text.partition("/")
        if text.isascii() and number.isdigit() and parts.isdigit() and len(text) <= 11:
            found = cls(int(number), int(parts))
            if 1 <= found.number <= found.parts <= 1 << 16:
                return found
        raise UsageError(
            f"'{text}' is not a sample", hint="'2/5' is the second of five parts; at most 65536 of them"
        )

    def __str__(self) -> str:
        return f"{self.number}/{self.parts}"

    def holds(self, object_id: ObjectId) -> bool:
        """Whether the object is in this part."""
        return int(object_id[:8], 16) * self.parts >> 32 == self.number - 1

    def choose(self, ordered: list[ObjectId]) -> list[ObjectId]:
        """Give those of *ordered* that are in this part."""
        return [object_id for object_id in ordered if self.holds(object_id)]


class Share(NamedTuple):
    """So many of a hundred blobs, at least one, drawn by the seed."""

    percent: float

    def __str__(self) -> str:
        return f"{self.percent:g}%"

    def choose(self, ordered: list[ObjectId]) -> list[ObjectId]:
        """Give the first of *ordered*."""
        return ordered[: math.ceil(len(ordered) * self.percent / 100)]


AnySample: TypeAlias = Sample | Share


def parse_sample(text: str) -> AnySample:
    """Read ``5%`` or ``n/t``; raises ``UsageError``."""
    if "/" in text:
        return Sample.parse(text)
    found = _PERCENT.match(text)
    if found is not None and 0 < float(found.group(1)) <= 100:
        return Share(float(found.group(1)))
    raise UsageError(
        f"'{text}' is not a sample", hint="'5%' is a random twentieth, '2/5' the second of five parts"
    )


def parse_duration(text: str) -> float:
    """Read ``60s``, ``500ms``, ``2m`` or ``1h`` as seconds; raises ``UsageError``."""
    found = _DURATION.match(text)
    if found is None:
        raise UsageError(f"'{text}' is not a time", hint="write it like '60s', '2m', '1h' or '500ms'")
    return float(found.group(1)) * _SECONDS[found.group(2)]


def _new_seed() -> str:
    return os.urandom(8).hex()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which blobs are hashed: a sample, as many as a time (seconds) allows, or both, in the seed's order."""

    sample: AnySample | None = None
    budget: float | None = None
    seed: str = field(default_factory=_new_seed)

    def __post_init__(self) -> None:
        if not _SEED.match(self.seed):
            raise UsageError(f"'{self.seed}' is not a seed", hint="give the one that was printed")

    def order(self, ids: Iterable[ObjectId]) -> list[ObjectId]:
        """Give *ids* in the order in which they are looked at, and those only that the sample chooses."""
        key = blake3(self.seed.encode(), derive_key_context=_CONTEXT).digest()
        ordered = sorted(ids, key=lambda object_id: blake3(object_id.encode(), key=key).digest())
        return ordered if self.sample is None else self.sample.choose(ordered)

    @property
    def options(self) -> str:
        """The options that look at the same blobs again."""
        words = [] if self.sample is None else [f"--sample {self.sample}"]
        return " ".join([*words, f"--seed {self.seed}"])
