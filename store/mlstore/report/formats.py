"""The formats by name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mlstore._visible import to_json
from mlstore.errors import UsageError
from mlstore.report.outcome import Outcome

if TYPE_CHECKING:
    from mlstore.report.dossier import Dossier

FORMATS = ("junit", "sarif", "gitlab", "markdown", "html", "json")
"""What ``render`` can make."""


def render(kind: str, outcome: Outcome, dossier: Dossier | None = None) -> bytes:
    """Give the outcome in a format of ``FORMATS``; raises ``UsageError`` for a name that is none.

    *dossier* is what the page shows beyond the findings; the other formats do not need it.
    """
    if kind not in FORMATS:
        raise UsageError(f"'{kind}' is not a format of reports", hint=f"one of: {', '.join(FORMATS)}")
    if kind == "json":
        return (to_json(outcome.data) + "\n").encode("utf-8")
    if kind == "html":
        from mlstore.report.dossier import Dossier
        from mlstore.report.page import render_page

        return render_page(dossier or Dossier(outcome)).encode("utf-8")
    text: str = import_module(f"mlstore.report.{kind}").render(outcome)
    return text.encode("utf-8")
