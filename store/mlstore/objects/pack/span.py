"""Checking a pack from front to back: a stretch of entries is read at once, and each is held against its id.

A span is a task that any worker can do, in another process too: it names the file and carries the rows.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Final

import xxhash

from mlstore.hashing import ObjectId, object_format
from mlstore.objects.pack.codec import HEADER_SIZE, ID_SIZE, ROW, Decompressor, EntryKind
from mlstore.objects.pack.pack import READ_FLAGS, SMALL_ENTRY, Pack, PackIndex

_SPAN: Final = 1 << 20  # bytes read at once; an entry is never cut
_GAP: Final = 256 << 10  # bytes to leave unread are worth another read from here on
_MOST_ENTRIES: Final = 4096
_RECIPE: Final = int(EntryKind.RECIPE)
_METADATA: Final = b"mlstore "
_MOST_METADATA: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Span:
    """Entries of one pack, in the order of their bytes; *numbers* are their places in the index."""

    path: str
    pack: str
    format: str
    start: int
    size: int
    ids: bytes
    rows: bytes
    numbers: tuple[int, ...]
    quick: bool

    @property
    def pays_for_a_thread(self) -> bool:
        """Whether its entries are large enough: hashing a small one is over before a thread has begun."""
        return self.size >= SMALL_ENTRY * len(self.numbers)


_FIELDS: Final = attrgetter(*(one.name for one in fields(Span)))


@dataclass(slots=True)
class SpanResult:
    """What a look at a span gave.

    ``flaws`` is number -> (reason, the id that its bytes have if that is what is wrong). ``metadata``
    are the bytes of what may be trees, commits and tags, all of them proved. ``unread`` says why
    nothing could be read.
    """

    span: Span
    flaws: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    metadata: dict[ObjectId, bytes] = field(default_factory=dict)
    unread: str | None = None


def spans(
    pack: Pack, index: PackIndex, skip: bytearray, *, quick: bool, part: int = 0, of: int = 1
) -> Iterator[Span]:
    """Cut *pack* into spans, leaving out the entries whose number *skip* marks.

    *part* of *of* gives that share of the entries only, in the order of their bytes.
    """
    numbers: list[int] = []
    start = end = HEADER_SIZE
    count = len(index.order)
    for number in index.order[part * count // of : (part + 1) * count // of]:
        if skip[number]:
            continue
        offset, stop = index.offsets[number], index.ends[number]
        full = stop - start > _SPAN or len(numbers) >= _MOST_ENTRIES or offset - end > _GAP
        if numbers and full:
            yield _span(pack, index, numbers, start, end, quick)
            numbers = []
        if not numbers:
            start = offset
        numbers.append(number)
        end = stop
    if numbers:
        yield _span(pack, index, numbers, start, end, quick)


def _span(pack: Pack, index: PackIndex, numbers: list[int], start: int, end: int, quick: bool) -> Span:
    return Span(
        path=str(pack.path),
        pack=pack.name,
        format=pack.format_name,
        start=start,
        size=end - start,
        ids=b"".join([index.ids[n * ID_SIZE : (n + 1) * ID_SIZE] for n in numbers]),
        rows=b"".join([index.rows[n * ROW.size : (n + 1) * ROW.size] for n in numbers]),
        numbers=tuple(numbers),
        quick=quick,
    )


def check_span(span: Span) -> SpanResult:
    """Read *span* and hold each entry against its checksum and (unless it is quick) against its id."""
    result = SpanResult(span)
    try:
        fd = os.open(span.path, READ_FLAGS)
    except OSError as exc:
        result.unread = (exc.strerror or str(exc)).lower()
        return result
    try:
        _check_entries(span, fd, result)
    finally:
        os.close(fd)
    return result


def dump_results(results: Iterable[SpanResult]) -> bytes:
    """Give results as bytes, for the process that asked for them."""
    plain = []
    for result in results:
        metadata = [(str(object_id), data) for object_id, data in result.metadata.items()]
        plain.append((_FIELDS(result.span), list(result.flaws.items()), metadata, result.unread))
    return marshal.dumps(plain)


def load_results(data: bytes) -> Iterator[SpanResult]:
    """Read what ``dump_results`` gave in a child of ours."""
    for values, flaws, metadata, unread in marshal.loads(data):
        found = {ObjectId(object_id): content for object_id, content in metadata}
        yield SpanResult(Span(*values), dict(flaws), found, unread)


def _check_entries(span: Span, fd: int, result: SpanResult) -> None:
    new_hash, checksum_of = object_format(span.format).constructor, xxhash.xxh3_64_digest
    ids, start, quick = span.ids.hex(), span.start, span.quick
    decompress: Decompressor | None = None
    data = _read_all(fd, span)
    for at, row in enumerate(ROW.iter_unpack(span.rows)):
        offset, stored, size, compressed, kind, checksum = row
        try:
            part = data[offset - start : offset - start + stored] if data else _read_one(fd, offset, stored)
            if len(part) != stored or checksum_of(part) != checksum:
                raise ValueError("its stored bytes are damaged")
            if quick:
                continue
            if compressed:
                decompress = decompress or Decompressor()
                part = decompress(part, None if kind == _RECIPE else size)
        except ValueError as exc:
            result.flaws[span.numbers[at]] = str(exc), None
            continue
        if kind == _RECIPE:
            continue  # the object that it makes is checked as a whole, and by its id
        object_id = ids[2 * ID_SIZE * at : 2 * ID_SIZE * (at + 1)]
        actual = new_hash(part).hexdigest()
        if actual != object_id:
            result.flaws[span.numbers[at]] = f"its bytes hash to '{actual}'", actual
        elif part.startswith(_METADATA) and not kind and size <= _MOST_METADATA:
            result.metadata[ObjectId(object_id)] = part


def _read_all(fd: int, span: Span) -> bytes:
    """Give the bytes of the span; none where a part of it cannot be read, so that each entry is tried."""
    try:
        return _read_one(fd, span.start, span.size)
    except ValueError:
        return b""


def _read_one(fd: int, offset: int, size: int) -> bytes:
    try:
        if hasattr(os, "pread"):
            return os.pread(fd, size, offset)
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size)
    except OSError as exc:
        raise ValueError(f"it cannot be read: {(exc.strerror or str(exc)).lower()}") from None
