"""What `reproduce` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlstore._lazy import LazyPattern
from mlstore_cli.output import Style, escape, quote
from mlstore_cli.views.commits import short
from mlstore_cli.views.pipeline import format_duration, tail_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlstore.history import Block
    from mlstore.pipeline.reproduction import OutputResult, Reproduction, StageResult

_DETAILS: Final = 10
_CHANGES: Final = 20
_DROPPED: Final = LazyPattern(r"[A-Z][A-Z0-9_]* removed: ")


def format_start(block: Block, number: int, style: Style) -> list[str]:
    """Return the line that announces a run."""
    again = "again" if number == 1 else f"again, the {_ordinal(number)} time"
    return [f"{style.bold(escape(block.name))}  runs {again} (commit {style.yellow(short(block.id))})"]


def _ordinal(number: int) -> str:
    """Return a number in words for a sentence.

    >>> _ordinal(2), _ordinal(3), _ordinal(11)
    ('second', 'third', '11th')
    """
    words = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    return words.get(number, f"{number}th")


def format_stage(result: StageResult, style: Style) -> list[str]:
    """Return what became of one stage: the verdict, and below it why."""
    paint = style.green if result.ok else style.red
    head = f"{style.bold(escape(result.block.name))}  {paint(result.verdict)}"
    lines = [head + escape(_summary(result))]
    for one in result.outputs:
        if one.judged.outcome != "equal":
            lines += _format_output(one)
    if result.failure is not None:
        lines += tail_of(result.failure.tail)
        lines.append(f"  {style.cyan('hint:')} {escape(result.failure.hint)}")
    lines += _format_environment(result, style)
    lines += [f"  also written: {quote(path)}" for path in result.written]
    lines += [f"  kept: {escape(folder)}" for folder in result.kept]
    return lines


def _summary(result: StageResult) -> str:
    took = ", ".join(map(format_duration, result.durations))
    if result.failure is not None:
        return f": {result.failure.message}"
    if result.cause == "nondeterministic":
        return f": nondeterministic: {result.runs} re-runs differ among themselves ({took})"
    if result.cause == "another-environment":
        return f": another environment: {result.runs} re-runs agree, and not with the record ({took})"
    times = "" if result.runs == 1 else f" {result.runs} times"
    return f"{times} in {took}"


def _format_output(output: OutputResult) -> Iterator[str]:
    judged = output.judged
    yield f"  {quote(output.path)}: {escape(judged.text)}"
    if judged.comparison is not None and judged.outcome != "equivalent":
        details = judged.comparison.lines()[1:]
        yield from (f"    {escape(line)}" for line in details[:_DETAILS])
        if len(details) > _DETAILS:
            yield f"    and {len(details) - _DETAILS} more lines; --json has them"


def _format_environment(result: StageResult, style: Style) -> Iterator[str]:
    if result.passed or result.unset:
        passed = ", ".join(result.passed) or "none"
        unset = f"; not set here: {', '.join(result.unset)}" if result.unset else ""
        yield style.dim(f"  declared variables passed: {escape(passed)}{escape(unset)}")
    if result.ok:
        return
    if result.changes is None:
        yield "  the record has no environment to compare with"
    elif not result.changes:
        yield "  the environment is the recorded one, as far as it is recorded"
    else:
        yield "  the environment differs (recorded -> now):"
        yield from (f"    {escape(line)}" for line in result.changes[:_CHANGES])
        if len(result.changes) > _CHANGES:
            yield f"    and {len(result.changes) - _CHANGES} more; --json has them"
        if any(_DROPPED.match(line) for line in result.changes):
            yield f"  {style.cyan('hint:')} 'env' in mlstore.toml passes variables on"


def format_end(found: Reproduction, style: Style) -> list[str]:
    """Return the closing line."""
    good = sum(stage.ok for stage in found.stages)
    total = len(found.stages)
    what = "1 stage" if total == 1 else f"{total} stages"
    if found.ok:
        text = style.green(f"{found.verdict}: {what}")
    else:
        text = style.red(f"not reproduced: {total - good} of {what}")
    lines = [f"{text} at {escape(found.rev)} ({short(found.commit)})"]
    if found.policy.source == "worktree" and found.policy.has_rules:
        lines.append("judged by the rules of the worktree: the commit has no mlstore.toml")
    if found.policy.note:
        lines.append(f"judged by bytes: {escape(found.policy.note)}")
    return lines
