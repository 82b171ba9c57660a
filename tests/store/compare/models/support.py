"""Models made for the tests: small ones of our own, and pickles written by hand."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from typing import Any

import xxhash

from mlstore.compare import Artifact, Settings
from mlstore.compare.models.inspect import Inspection, inspect_model


def look(data: bytes, name: str = "m.joblib", settings: Settings | None = None) -> Inspection:
    return inspect_model(Artifact.from_bytes(data, name), settings)


def named(found: Inspection) -> set[str]:
    return {str(use.value) for use in found.unknown}


def kinds(found: Inspection) -> set[str]:
    return {note.kind for note in found.notes}


def dump(value: Any, **options: Any) -> bytes:
    import joblib

    buffer = io.BytesIO()
    joblib.dump(value, buffer, **options)
    return buffer.getvalue()


def short(text: str) -> bytes:
    """SHORT_BINUNICODE."""
    data = text.encode()
    return b"\x8c" + bytes([len(data)]) + data


def call(module: str, name: str, argument: str = "x") -> bytes:
    """Opcodes that call MODULE.NAME(argument) and drop what it returns."""
    return short(module) + short(name) + b"\x93" + short(argument) + b"\x85R0"


def lz4_frame(data: bytes) -> bytes:
    """An LZ4 frame of stored blocks: what the format allows for data that does not shrink."""
    flags = bytes([0b01_1_0_0_1_00, 0x40])
    head = b"\x04\x22\x4d\x18" + flags + bytes([xxhash.xxh32(flags).intdigest() >> 8 & 0xFF])
    blocks = b""
    for start in range(0, len(data), 64 << 10):
        block = data[start : start + (64 << 10)]
        blocks += (len(block) | 1 << 31).to_bytes(4, "little") + block
    return head + blocks + bytes(4) + xxhash.xxh32(data).intdigest().to_bytes(4, "little")


PACKERS = {
    "raw": bytes,
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "xz": lzma.compress,
    "lz4": lz4_frame,
}
