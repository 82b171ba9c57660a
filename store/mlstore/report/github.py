"""GitHub Actions: annotations as workflow commands, and the step's summary, within the caps of both.

Source: "Workflow commands for GitHub Actions" in GitHub's documentation. The runner takes a line of stdout or
stderr for a command when it begins (after spaces) with ``::name``, and, in the old form, wherever ``##[name``
stands in it. So whatever else a step prints in between has to be fenced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from mlstore._visible import escape
from mlstore.report.markdown import render as render_markdown
from mlstore.report.outcome import Outcome
from mlstore.report.sarif import FALLBACK
from mlstore.verify.findings import Finding

MOST_ANNOTATIONS = 10
"""How many annotations of one level GitHub keeps of a step."""
SUMMARY_LIMIT = 1 << 20
"""How many bytes the summary of a step may have; with more GitHub drops all of it."""

_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}
_CUT = "\n\n… cut here: a step's summary may have 1 MiB. Other formats of this report hold all of it.\n"


def workflow_commands(outcome: Outcome) -> list[str]:
    """Give one workflow command a line: the first ten of each level, then how many more there are."""
    lines: list[str] = []
    counts: Counter[str] = Counter()
    for finding in outcome.findings:
        level = _LEVELS[finding.severity]
        counts[level] += 1
        if counts[level] <= MOST_ANNOTATIONS:
            lines.append(_annotation(outcome, finding, level))
    more = [
        f"{number - MOST_ANNOTATIONS} more of level {level}"
        for level, number in counts.items()
        if number > MOST_ANNOTATIONS
    ]
    if more:
        shown = f"GitHub shows {MOST_ANNOTATIONS} annotations of each level"
        lines.append(f"mlstore: {shown}; not shown: {', '.join(more)}")
    return lines


def _annotation(outcome: Outcome, finding: Finding, level: str) -> str:
    properties = {
        "file": outcome.place(finding) or outcome.prefix + FALLBACK,
        "line": "1",
        "title": f"mlstore: {finding.kind}" + (f" at {finding.stage}" if finding.stage else ""),
    }
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    lines = [finding.message]
    lines += [f"cause: {finding.cause}"] if finding.cause else []
    lines += [f"hint: {finding.hint}"] if finding.hint else []
    return f"::{level} {told}::{_data(chr(10).join(map(escape, lines)))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(escape(text)).replace(":", "%3A").replace(",", "%2C")


def fenced(lines: Iterable[str], token: str) -> Iterator[str]:
    """Yield *lines* so that the runner takes none for a command; *token* is one that nobody can guess."""
    yield f"::stop-commands::{token}"
    yield from lines
    yield f"::{token}::"


def summary(outcome: Outcome, used: int = 0) -> bytes:
    """Give what to append to the step's summary, which has *used* bytes already: never more than fits.

    What is too long is cut between two characters and says so; without room for that note it is empty.
    """
    text = render_markdown(outcome).encode("utf-8")
    room = SUMMARY_LIMIT - used
    if len(text) <= room:
        return text
    note = _CUT.encode("utf-8")
    if room < len(note):
        return b""
    return text[: room - len(note)].decode("utf-8", "ignore").encode("utf-8") + note
