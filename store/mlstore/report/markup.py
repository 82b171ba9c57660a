"""Text in the page: everything that is shown goes through here, so that nothing of it becomes markup."""

from __future__ import annotations

import html

from mlstore._lazy import LazyPattern
from mlstore._visible import escape

_QUOTED = LazyPattern(r"'([^']*)'")

ICONS = {
    "good": '<path d="M4 12.5l5 5L20 6.5"/>',
    "warn": '<path d="M12 3.5L2.5 20.5h19zM12 10v5M12 17.8v.2"/>',
    "bad": '<path d="M5.5 5.5l13 13M18.5 5.5l-13 13"/>',
    "note": '<circle cx="12" cy="12" r="9"/><path d="M12 11v6M12 7.2v.2"/>',
}


def text(value: object) -> str:
    """Give any value as harmless text: for the content of elements and for quoted attributes."""
    return html.escape(escape(str(value)), quote=True)


def code(value: object) -> str:
    """Give a name, an id or a value as code, its direction kept apart from what stands around it."""
    return f"<code><bdi>{text(value)}</bdi></code>"


def prose(value: str) -> str:
    """Give a message; what stands in single quotes becomes code."""
    parts = _QUOTED.split(value)  # every second part is one that stood in quotes
    return "".join(code(part) if number % 2 else _unbroken(text(part)) for number, part in enumerate(parts))


def _unbroken(markup: str) -> str:
    return markup.replace("-&gt;", '<span class="whole">-&gt;</span>')  # a narrow line would end in the "-"


def icon(tone: str) -> str:
    """Give the sign of a tone (``good``, ``warn``, ``bad``, ``note``): a shape, for colour is not enough."""
    return f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{ICONS[tone]}</svg>'


def badge(tone: str, label: str) -> str:
    """Give a word with its sign."""
    sign = icon(tone) if tone in ICONS else ""
    return f'<span class="badge {tone}">{sign}{text(label)}</span>'


def scroller(label: str, inner: str) -> str:
    """Give something wide a frame that scrolls, by keyboard too."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{text(label)}">{inner}</div>'


def table(heads: list[str], rows: list[list[str]], *, kind: str = "", numbers: tuple[int, ...] = ()) -> str:
    """Give a table of cells that are markup already; *numbers* are the columns to be set to the right."""

    def cell(at: int, value: str) -> str:
        return f'<td class="num">{value}</td>' if at in numbers else f"<td>{value}</td>"

    head = "".join(
        f'<th scope="col"{" class=num" if at in numbers else ""}>{text(name)}</th>'
        for at, name in enumerate(heads)
    )
    body = "".join(
        "<tr>" + "".join(cell(at, value) for at, value in enumerate(row)) + "</tr>" for row in rows
    )
    name = f' class="{kind}"' if kind else ""
    return f"<table{name}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
