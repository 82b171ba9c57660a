"""What GitHub's runner makes of the lines that a step prints."""

from __future__ import annotations

import re

OLD_FORM = re.compile(r"##\[([a-zA-Z-]+)[^\]]*\]")
NEW_FORM = re.compile(r"::([a-zA-Z-]+|[0-9a-f]{32})( [^:]*)?::")


def obeyed(lines):
    """The commands that a runner would obey in these lines, as its documentation describes it."""
    found, token = [], None
    for line in "\n".join(lines).splitlines():
        new = NEW_FORM.match(line.lstrip())
        old = OLD_FORM.search(line)
        name = new.group(1) if new else old.group(1) if old else None
        if token is not None:
            token = None if name == token else token
        elif line.startswith("::stop-commands::"):
            token = line.removeprefix("::stop-commands::")
        elif name is not None:
            found.append(name)
    return found
