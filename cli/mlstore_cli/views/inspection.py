"""What `mlstore inspect` shows of one artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlstore_cli.output import Style, escape, quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlstore.compare.inspect import Look
    from mlstore.compare.models.describe import Leaf
    from mlstore.compare.models.inspect import Inspection

_MOST_VALUES: Final = 40
_LONGEST: Final = 100
_WORDS: Final = {
    "known": "seen whole; it names only what is on the allow-list (which does not make it safe to load)",
    "suspicious": "suspicious",
    "incomplete": "incomplete: not all of it could be seen",
}


def format_look(look: Look, style: Style, *, everything: bool) -> Iterator[str]:
    """Yield the lines for one file."""
    facts = [look.kind, f"{look.size} bytes", *(f"{name} {text}" for name, text in look.facts)]
    yield f"{style.bold(quote(look.name))}: {escape(', '.join(facts))}"
    if look.inspection is not None:
        yield from _format_model(look.inspection, style, everything)
        yield _verdict(look, style)
    else:
        paint = style.red("warning:")
        yield from (f"{paint} {escape(what)}" for what in look.missing)
        if look.verdict != "known":
            yield _verdict(look, style)


def _verdict(look: Look, style: Style) -> str:
    paint = style.green if look.verdict == "known" else style.red
    return f"verdict: {paint(_WORDS[look.verdict])}"


def _format_model(found: Inspection, style: Style, everything: bool) -> Iterator[str]:
    if found.versions():
        yield f"scikit-learn {escape(', '.join(found.versions()))}"
    shown = found.leaves if everything else found.leaves[:_MOST_VALUES]
    for leaf in shown:
        yield f"  {_format_leaf(leaf, style)}"
    if len(shown) < len(found.leaves):
        yield f"  ... and {len(found.leaves) - len(shown)} more values (--all shows them)"
    if found.globals:
        yield f"globals ({len(found.globals)}):"
    for use in found.globals:
        if use.value.allowed:
            mark = style.yellow("allowed")
        else:
            mark = style.green("known  ") if use.value.known else style.red("UNKNOWN")
        yield f"  {mark} {escape(str(use.value))}{' (called)' if use.called else ''}"
    for line in found.warnings():
        yield f"{style.red('warning:')} {escape(line)}"


def _format_leaf(leaf: Leaf, style: Style) -> str:
    text = escape(leaf.text())
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    if leaf.role == "class":
        return f"{style.cyan(escape(leaf.path) or '.')}: {style.bold(text)}"
    return f"{escape(leaf.path) or '.'} = {text}{_range(leaf)}"


def _range(leaf: Leaf) -> str:
    from mlstore.compare.models.arrays import range_of
    from mlstore.compare.models.nodes import Array

    if not isinstance(leaf.value, Array):
        return ""
    low, high = range_of(leaf.value)
    between = "" if low is None else f" from {low} to {high}"
    return f"{between}, hash {leaf.value.digest[:10]}"
