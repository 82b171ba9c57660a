"""Running the tours of the documents: what stands after `$` is run, what follows has to be what it prints."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from tests.support import environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TOUR = re.compile(r"^<!-- tour -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHANGES_FROM_RUN_TO_RUN = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<whole id>"),
    (re.compile(r"\b[0-9a-f]{10}\b"), "<id>"),
    (re.compile(r"SHA256:[A-Za-z0-9+/]{43}"), "<fingerprint>"),
    (re.compile(r"\d+\.\d s\b"), "<time>"),
    (re.compile(r"(\d+\.\d KiB|\d+ B)\s+hashed"), "<size> hashed"),
)


def steps(text: str) -> list[tuple[str, str]]:
    """Give every command of the tours of *text* with what it is said to print."""
    found = []
    for block in _TOUR.findall(text):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            found.append((command, output))
    return found


def play(text: str, folder: Path, env: Mapping[str, str]) -> list[tuple[str, str]]:
    """Run the commands in *folder* (`cd` at the end of one lasts) and give what each printed."""
    printed = []
    for command, _ in steps(text):
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=environment({"COLUMNS": "80", **env}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            check=False,
        )
        printed.append((command, done.stdout))
        if " && cd " in command:
            folder /= command.rpartition(" && cd ")[2]
    return printed


def normalise(shown: list[tuple[str, str]]) -> str:
    """Give *shown* as one text, without what is another thing in each run."""
    text = "".join(f"$ {command}\n{output}" for command, output in shown)
    for pattern, word in _CHANGES_FROM_RUN_TO_RUN:
        text = pattern.sub(word, text)
    return text
