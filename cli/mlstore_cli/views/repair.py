"""What `fsck --repair` prints: what is back, what was set aside, what is still wrong and who needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._progress import format_size
from mlstore_cli.output import Style, escape, quote
from mlstore_cli.views.commits import short
from mlstore_cli.views.maintenance import count
from mlstore_cli.views.verify import format_fsck

if TYPE_CHECKING:
    from mlstore.maintenance import RepairReport
    from mlstore.maintenance.healing import Healed
    from mlstore.maintenance.repair import Quarantined


def format_repair(report: RepairReport, style: Style) -> list[str]:
    """Return the report for people."""
    dry = report.dry_run
    lines = [_healed(one, style, dry=dry) for one in report.healed]
    lines += [f"{_word('rebuilt', style, dry=dry)}   {name} from HEAD" for name in report.rebuilt]
    for one in report.quarantined:
        lines += _set_aside(one, style, dry=dry)
    if report.unread:
        lines.append(f"{style.yellow('warning:')} {count(len(report.unread), 'file')} could not be searched")
    if lines:
        lines.append("")
    if report.quarantine:
        lines += [f"what was damaged is in {escape(report.quarantine)}; nothing was deleted", ""]
    if report.ok and not (report.healed or report.quarantined):
        lines.append("nothing to repair")
    return lines + format_fsck(report.after, style, dangling=False)


def _word(word: str, style: Style, *, dry: bool) -> str:
    return style.dim(f"would be {word}") if dry else style.green(word)


def _healed(one: Healed, style: Style, *, dry: bool) -> str:
    size = f", {format_size(one.size)}" if one.size is not None else ""
    where = f" {quote(one.path)}" if one.path else ""
    what = f"{one.type or 'object'} {short(one.id)}{where}{size}"
    return f"{_word('healed', style, dry=dry)}    {what}, from {quote(one.source)}"


def _set_aside(one: Quarantined, style: Style, *, dry: bool) -> list[str]:
    word = style.dim("would be set aside") if dry else style.yellow("set aside")
    lines = [f"{word} {escape(_shorten(one.path))}: {escape(one.reason)}"]
    if one.path.endswith(".pack"):
        lines.append(f"          {count(one.kept, 'entry').replace('entrys', 'entries')} of it kept")
    return lines


def _shorten(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name[:10]}.pack" if folder.endswith("/pack") and name.endswith(".pack") else path
