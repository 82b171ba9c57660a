"""Making text harmless to show: what moves, hides, reorders or cannot be encoded becomes an escape.

Names and messages come from files, commits and remotes, so they may hold anything. Terminals, reports and
pages all show them through ``escape``.
"""

from __future__ import annotations

from mlstore._lazy import LazyPattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

# Everything that moves the cursor, hides itself, reorders its neighbours or cannot be encoded:
# C0, DEL and C1 controls; soft hyphen and fillers; zero-width and bidirectional marks; line separators;
# the byte order mark, annotation marks and tag characters; lone surrogates (bytes that were no UTF-8).
UNSAFE = LazyPattern(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape_match(match: re.Match[str]) -> str:
    char = match.group()
    if char in _NAMED:
        return _NAMED[char]
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that Python could not decode: show the byte itself
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def escape(text: str) -> str:
    r"""Make a name or a one-line message safe to show: `"a\x1b[2J"` becomes the text `a\x1b[2J`.

    >>> escape("plain name.csv")
    'plain name.csv'
    >>> escape("a\nb\u202e")
    'a\\nb\\u202e'
    """
    return text if text.isascii() and text.isprintable() else UNSAFE.sub(_escape_match, text)


def to_json(data: object) -> str:
    """Encode JSON-ready data as text that is valid UTF-8 and harmless on a terminal, whatever it holds."""
    import json

    # Every control character left in the text stands inside a string, but for the layout's own line feeds.
    return UNSAFE.sub(_json_escape_match, json.dumps(data, ensure_ascii=False, indent=2))


def _json_escape_match(match: re.Match[str]) -> str:
    char = match.group()
    if char == "\n":
        return char
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
