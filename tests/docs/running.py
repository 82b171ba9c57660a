"""Runs the blocks of a page in their order: files are written, commands are run, their output is compared.

A block after `<!-- file: NAME -->` is a file. In a `console` block the lines after `$ ` are commands. What
changes from run to run is replaced before the comparison.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support import environment

_BLOCK = re.compile(r"(?:^<!-- file: (\S+) -->\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHANGES = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<object>"),
    (re.compile(r"\b[0-9a-f]{10}\b"), "<id>"),
    (re.compile(r"\d+\.\d KiB"), "<size>"),
)


def normalise(text: str, root: Path | None = None) -> str:
    """Take out what differs from run to run; ROOT is shown as /srv/app or /srv."""
    for pattern, word in _CHANGES:
        text = pattern.sub(word, text)
    if root is not None:
        text = text.replace(str(root), "<root>")
    text = text.replace("/srv/app", "<root>").replace("/srv", "<root>")
    # A line that was wrapped at another place for the length of an id or size is the same line.
    return re.sub(r"\s+", " ", text)


def run_page(page: Path, root: Path) -> tuple[list[str], list[str]]:
    """Give what the page shows and what was printed, command by command."""
    shown, printed = [], []
    for name, language, body in _BLOCK.findall(page.read_text("utf-8")):
        if name:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(body)
        elif language == "console":
            for step in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, output = step.partition("\n")
                shown.append(normalise(f"$ {command}\n{output}"))
                done = subprocess.run(
                    command,
                    shell=True,
                    cwd=root,
                    env=environment({"COLUMNS": "80"}),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    encoding="utf-8",
                    check=False,
                )
                printed.append(normalise(f"$ {command}\n{done.stdout}", root))
    return shown, printed
