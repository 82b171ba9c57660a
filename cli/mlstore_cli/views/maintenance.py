"""What `gc`, `prune`, `repack` and `du` print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._progress import format_size
from mlstore_cli.output import Style, escape, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlstore.maintenance import GcReport, Usage
    from mlstore.maintenance.usage import PathUsage


def count(number: int, what: str) -> str:
    """Return a number with its noun.

    >>> count(1, "object"), count(1200, "object")
    ('1 object', '1,200 objects')
    """
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def format_removals(report: GcReport, style: Style) -> list[str]:
    """Return what would go: one row an object, then the sum."""
    lines = [
        f"{format_size(row.size):>10}  {row.kind:<6}  {style.yellow(row.id[:10])}  {escape(row.name or '-')}"
        for row in report.removed
    ]
    lines.append(f"would remove {count(report.objects, 'object')}, {format_size(report.bytes)} on disk")
    if report.log_entries:
        lines.append(f"would drop {_entries(report.log_entries)} from reflogs")
    if report.trash_emptied:
        lines.append(f"would empty the trash of {format_size(report.trash_emptied)}")
    return lines


def format_collection(report: GcReport) -> list[str]:
    """Return what a collection did; nothing to do is nothing to say, as in git."""
    lines = []
    if report.log_entries:
        lines.append(f"dropped {_entries(report.log_entries)} from reflogs")
    if report.bytes:
        done = "moved {} to the trash" if report.trash else "removed {}"
        lines.append(f"{done.format(count(report.objects, 'object'))}, {format_size(report.bytes)}")
    if report.trash_emptied:
        lines.append(f"emptied the trash of {format_size(report.trash_emptied)}")
    return lines + format_packing(report)


def format_untouched(report: GcReport, style: Style) -> list[str]:
    """Return a warning for each pack that was left alone because it is damaged."""
    return [
        f"{style.yellow('warning:')} {escape(message)}; it was left alone" for message in report.untouched
    ]


def _entries(number: int) -> str:
    return f"{number:,} old entr{'y' if number == 1 else 'ies'}"


def format_packing(report: GcReport) -> list[str]:
    """Return what was packed and merged."""
    lines = []
    if report.packed:
        lines.append(f"packed {count(report.packed, 'loose object')}")
    if report.merged:
        lines.append(f"merged {count(report.merged, 'pack')}")
    return lines


def format_usage(
    usage: Usage, rows: Sequence[PathUsage], style: Style, *, most: int | None, stages: bool
) -> list[str]:
    """Return the table of what takes the space."""
    what = "stage" if stages else "path"
    lines = [style.dim(f"{'stored':>10}  {'size':>10}  {'versions':>8}  {what}")]
    shown = rows if most is None else rows[:most]
    for row in shown:
        name = quote(row.name) or "(no stage)"
        stage = f"  {style.dim(f'({escape(row.stage)})')}" if row.stage and not stages else ""
        lines.append(
            f"{format_size(row.stored):>10}  {format_size(row.size):>10}  {row.versions:>8,}  {name}{stage}"
        )
    hidden = rows[len(shown) :]
    if hidden:
        stored = format_size(sum(row.stored for row in hidden))
        size = format_size(sum(row.size for row in hidden))
        versions = sum(row.versions for row in hidden)
        lines.append(f"{stored:>10}  {size:>10}  {versions:>8,}  {len(hidden):,} more (--all shows them)")
    for stored_bytes, label in (
        (usage.history, "commits, trees, tags, notes, environments"),
        (usage.other, "in no branch or tag: staged, in a reflog, or garbage"),
        (usage.overhead, "indexes of packs"),
        (usage.trash, "trash"),
        (usage.quarantine, "quarantine: what 'fsck --repair' found damaged"),
    ):
        if stored_bytes:
            lines.append(f"{format_size(stored_bytes):>10}  {'':>10}  {'':>8}  {style.dim(label)}")
    lines.append(style.bold(f"{format_size(usage.total):>10}") + f"  {'':>10}  {'':>8}  total")
    return lines
