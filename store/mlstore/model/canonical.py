"""Canonical JSON: one value, one sequence of bytes.

UTF-8, keys sorted by code point, no white space, no floats, no duplicate keys, integers within 64
bits. A reader that re-encodes what it decoded and compares the bytes has checked all of that at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from mlstore.errors import DecodeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_INTEGER = 2**63 - 1
_MAX_DIGITS = 20

LARGEST = {"tree": 64 << 20, "commit": 16 << 20, "tag": 16 << 20}
"""No object of a kind is larger (bytes): a bound on what a hostile store can make us hold.

That is some 400,000 names in one folder.
"""


def canonical_json(value: object) -> bytes:
    """Encode *value* (dict, list, str, int, bool, None); raises ``ValueError`` for other types.

    Floats are the caller's to keep out: every reader refuses them.
    """
    import json

    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), default=_refuse
    )
    return text.encode("utf-8")


def encode_object(kind: str, value: object) -> bytes:
    """Give an object's exact bytes: the line ``mlstore KIND 1`` and *value* as canonical JSON."""
    try:
        data = f"mlstore {kind} 1\n".encode() + canonical_json(value)
    except UnicodeEncodeError:
        raise UsageError(f"a {kind} cannot hold text that is not valid unicode") from None
    if len(data) > LARGEST.get(kind, len(data)):
        raise UsageError(
            f"this {kind} would be larger than {LARGEST[kind] >> 20} MiB, and no reader would take it",
            hint="use folders: no single one may hold that many names" if kind == "tree" else None,
        )
    return data


def encode_readable(kind: str, value: object, decode: Callable[[bytes], object]) -> bytes:
    """Do the same, and let *decode* read it: what no reader would take must never be written.

    Raises ``UsageError`` with what is wrong.
    """
    data = encode_object(kind, value)
    try:
        decode(data)
    except DecodeError as exc:
        raise UsageError(f"this {kind} cannot be recorded: {exc.message}") from None
    return data


def decode_object(kind: str, data: bytes) -> dict[str, Any]:
    """Take an object's bytes apart; raises ``DecodeError`` unless they are canonical."""
    import json

    header = f"mlstore {kind} 1\n".encode()
    if not data.startswith(header):
        raise DecodeError(f"not a {kind}: the first line is not 'mlstore {kind} 1'")
    body = data[len(header) :]
    try:
        value = json.loads(
            body.decode("utf-8"), parse_float=_refuse, parse_constant=_refuse, parse_int=_integer
        )
        again = canonical_json(value)
    except RecursionError:
        raise DecodeError(f"not a {kind}: nested too deeply") from None
    except ValueError as exc:
        raise DecodeError(f"not a {kind}: {exc}") from None
    if again != body:
        raise DecodeError(f"not a {kind}: its bytes are not in canonical form")
    if not isinstance(value, dict):
        raise DecodeError(f"not a {kind}: not a JSON object")
    return value


def _refuse(value: object) -> NoReturn:
    raise ValueError(f"{str(value)[:40]!r} is not allowed in canonical JSON")


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS or not -MAX_INTEGER <= (number := int(text)) <= MAX_INTEGER:
        raise ValueError("an integer is out of range")
    return number
