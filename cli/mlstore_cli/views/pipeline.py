"""What `run`, `chain` and `why` print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlstore_cli.output import Style, escape, quote
from mlstore_cli.views.commits import short
from mlstore_cli.views.notes import note_to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mlstore.hashing import ObjectId
    from mlstore.history import Block
    from mlstore.model import Note
    from mlstore.pipeline import ChainView, Origin, RunReport, StageOrigin, StageOutcome, StageState

WIDTH: Final = 80
_CHAIN_COLUMNS: Final = ("height", "commit", "stage", "record", "lineage", "state")


# --- run ---


def format_start(stage: str, reason: str, width: int, style: Style) -> list[str]:
    """Return the line that announces a stage; `width` is that of the longest name."""
    return _entry(stage, f"runs: {reason}", width, style.bold)


def format_outcome(outcome: StageOutcome, width: int, style: Style) -> list[str]:
    """Return the line that says what became of a stage."""
    if outcome.result == "ran":
        took = format_duration(outcome.duration_ms or 0)
        text, paint = f"ran in {took} -> commit {short(outcome.commit or '')}", style.green
    elif outcome.result == "up-to-date":
        text, paint = "up to date", style.dim
    elif outcome.result == "failed":
        text, paint = "failed", style.red
    else:
        text, paint = f"skipped: {outcome.reason}", style.yellow
    return _entry(outcome.stage, text, width, paint)


def format_plan(states: Sequence[StageState], style: Style) -> list[str]:
    """Return what `run --dry-run` prints."""
    width = max((len(state.name) for state in states), default=0)
    lines: list[str] = []
    for state in states:
        text = "up to date" if state.reason is None else f"would run: {state.reason}"
        lines += _entry(state.name, text, width, style.bold if state.stale else style.dim)
    return lines


def format_duration(milliseconds: int) -> str:
    """Return a time for people.

    >>> format_duration(430), format_duration(75_000), format_duration(7_380_000)
    ('0.4 s', '1 min 15 s', '2 h 3 min')
    """
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _entry(name: str, text: str, width: int, paint: Any) -> list[str]:
    """Return a name and a text, the text wrapped beside it."""
    from textwrap import wrap

    indent = " " * (min(width, 30) + 2)
    room = max(30, WIDTH - len(indent))
    lines = wrap(escape(text), room, break_long_words=False, break_on_hyphens=False) or [""]
    head = f"{paint(escape(name))}{' ' * max(2, len(indent) - len(name))}{lines[0]}"
    return [head, *(indent + line for line in lines[1:])]


def report_to_json(report: RunReport) -> dict[str, Any]:
    """Return what `run --json` prints."""
    return {
        "ok": report.ok,
        "dry_run": False,
        "stages": [_outcome_to_json(outcome) for outcome in report.outcomes],
        "warnings": list(report.warnings),
    }


def plan_to_json(states: Sequence[StageState]) -> dict[str, Any]:
    """Return what `run --dry-run --json` prints."""
    stages = [
        {"stage": one.name, "result": "would-run" if one.stale else "up-to-date", "reason": one.reason}
        for one in states
    ]
    return {"ok": True, "dry_run": True, "stages": stages, "warnings": []}


def _outcome_to_json(outcome: StageOutcome) -> dict[str, Any]:
    error = None
    if outcome.error is not None:
        data = outcome.error.data
        error = {
            "kind": outcome.error.kind,
            "message": outcome.error.message,
            "hint": outcome.error.hint,
            "command_status": data.get("status"),
            "log": data.get("log"),
        }
    return {
        "stage": outcome.stage,
        "result": outcome.result,
        "reason": outcome.reason,
        "commit": outcome.commit,
        "lineage": outcome.lineage,
        "duration_ms": outcome.duration_ms,
        "observed": None if outcome.seen is None else outcome.seen.to_dict(),
        "error": error,
        "warnings": list(outcome.warnings),
    }


# --- chain ---


def format_chain(
    view: ChainView, style: Style, notes: Mapping[ObjectId, Sequence[Note]] | None = None
) -> list[str]:
    """Return the table of the chain, what the worktree has against it, and the newest note on each block."""
    rows = [_chain_row(view, block) for block in view.blocks]
    keep = [at for at, name in enumerate(_CHAIN_COLUMNS) if name != "state" or view.states is not None]
    table = [[row[at] for at in keep] for row in (_CHAIN_COLUMNS, *rows)]
    widths = [max(len(row[at]) for row in table) for at in range(len(keep))]
    room = max(20, WIDTH - sum(widths) - 2 * len(widths))
    heads = [_format_row(row, widths) for row in table]
    lines = [style.bold(f"{heads[0]}  outputs")]
    for block, head in zip(view.blocks, heads[1:], strict=True):
        names = [quote(path) for path in block.stage.outputs]
        lines.append(f"{_paint_row(view, block, head, style)}  {_fit(names, room)}")
    return [*lines, *_remarks(view, style), *_noted(view, notes or {}, style)]


def _noted(view: ChainView, notes: Mapping[ObjectId, Sequence[Note]], style: Style) -> Iterator[str]:
    newest = {block.name: notes[block.id][-1] for block in view.blocks if notes.get(block.id)}
    if newest:
        yield ""
    for name, note in newest.items():
        yield from _entry(name, note.text, max(map(len, newest)), style.bold)


def _chain_row(view: ChainView, block: Block) -> tuple[str, ...]:
    state = view.states.get(block.name) if view.states is not None else None
    return (
        str(block.commit.height),
        short(block.id),
        escape(block.name),
        block.stage.record,
        short(block.lineage),
        "stale" if state is not None and state.stale else "ok",
    )


def _format_row(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "  ".join([row[0].rjust(widths[0]), *cells])


def _fit(names: Sequence[str], room: int) -> str:
    """Return as many names as there is room for, and how many are left out: `a.csv, b.csv +3`."""
    text = ", ".join(names)
    for count in range(len(names) - 1, 0, -1):
        if len(text) <= room:
            break
        text = f"{', '.join(names[:count])} +{len(names) - count}"
    return text if len(text) <= room else f"{text[: room - 3]}..."


def _paint_row(view: ChainView, block: Block, line: str, style: Style) -> str:
    line = line.replace(short(block.id), style.yellow(short(block.id)), 1)
    if view.states is not None and (state := view.states.get(block.name)) is not None and state.stale:
        return line.removesuffix("stale") + style.red("stale")
    return line


def _remarks(view: ChainView, style: Style) -> Iterator[str]:
    stale = [
        state for state in (view.states or {}).values() if state.stale and state.name not in view.pending
    ]
    if stale or view.pending:
        yield ""
    width = max((len(name) for name in (*view.pending, *(state.name for state in stale))), default=0)
    for state in stale:
        yield from _entry(state.name, state.reason or "", width, style.red)
    for name in view.pending:
        yield from _entry(name, "never ran", width, style.yellow)


def chain_to_json(view: ChainView, notes: Mapping[ObjectId, Sequence[Note]] | None = None) -> dict[str, Any]:
    """Return what `chain --json` prints."""
    found = notes or {}
    return {
        "commit": view.commit,
        "lineage": view.lineage,
        "stages": [
            block_to_json(block) | {"notes": [note_to_json(note) for note in found.get(block.id, ())]}
            for block in view.blocks
        ],
    }


def block_to_json(block: Block) -> dict[str, Any]:
    """Return one block of the chain."""
    stage = block.stage
    return {
        "stage": stage.name,
        "height": block.commit.height,
        "commit": block.id,
        "lineage": block.lineage,
        "record": stage.record,
        "inputs": dict(stage.inputs),
        "outputs": dict(stage.outputs),
        "command": list(stage.command),
        "upstream": dict(stage.upstream),
        "parameters": dict(stage.parameters),
        "duration_ms": stage.duration_ms,
        "time": block.commit.time,
    }


# --- why ---


def format_why(origin: Origin, style: Style, depth: int = 0) -> Iterator[str]:
    """Return the provenance of an artifact as an indented tree."""
    pad = "  " * depth
    values = dict(origin.values)
    own = values.pop(origin.name, None)
    shown_id = style.yellow(short(origin.id)) if own is None else f"= {escape(own)}"
    line = f"{pad}{style.bold(quote(origin.name))} {shown_id}"
    if not origin.current:
        line += style.red("  (another version than the one on record)")
    if origin.block is None and origin.commit is not None:
        commit_id, commit = origin.commit
        line += f"  source, commit {short(commit_id)} {escape(commit.subject)}"
    elif origin.block is None:
        line += "  source"
    yield line
    for key, text in values.items():
        yield f"{pad}  {escape(key.removeprefix(f'{origin.name}.'))} = {escape(text)}"
    if origin.block is not None:
        yield from _format_stage_origin(origin.block, style, depth + 1)


def _format_stage_origin(origin: StageOrigin, style: Style, depth: int) -> Iterator[str]:
    pad = "  " * depth
    block = origin.block
    head = f"{pad}stage {style.green(escape(block.name))}, commit {style.yellow(short(block.id))}"
    if origin.repeated:
        yield f"{head} (see above)"
        return
    yield f"{head}, {block.stage.record} {block.commit.time}"
    if block.stage.command:
        yield f"{pad}  runs {escape(_typed(block.stage.command))}"
    for one in origin.inputs:
        yield from format_why(one, style, depth + 1)
    for before in origin.follows:
        yield f"{pad}  follows"
        yield from _format_stage_origin(before, style, depth + 2)


def _typed(command: Sequence[str]) -> str:
    """Return a command as somebody would type it."""
    import shlex

    if len(command) == 3 and tuple(command[:2]) == ("sh", "-c"):
        return command[2]
    return shlex.join(command)


def why_to_json(origin: Origin) -> dict[str, Any]:
    """Return a provenance tree for JSON."""
    data: dict[str, Any] = {"name": origin.name, "id": origin.id, "current": origin.current}
    if origin.values:
        data["values"] = dict(origin.values)
    if origin.commit is not None:
        data["commit"] = origin.commit[0]
    data["stage"] = None if origin.block is None else _stage_origin_to_json(origin.block)
    return data


def _stage_origin_to_json(origin: StageOrigin) -> dict[str, Any]:
    data = block_to_json(origin.block)
    data["repeated"] = origin.repeated
    data["inputs"] = [why_to_json(one) for one in origin.inputs]
    data["follows"] = [_stage_origin_to_json(one) for one in origin.follows]
    return data


def tail_of(text: bytes, lines: int = 10) -> Iterable[str]:
    """Return the last lines of a log, escaped and indented."""
    found = text.decode("utf-8", "replace").rstrip("\n").replace("\r\n", "\n").split("\n")[-lines:]
    return [f"  | {escape(line)}" for line in found if found != [""]]
