"""What every test starts from: nobody's identity, nobody's configuration, no deadline."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# How fast an example runs says something about the machine, not about the code.
# Under CI the examples are the same in every run: a failure there has to be one that can be repeated.
settings.register_profile("mlstore", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("mlstore")

# A shell has what it starts in the background ignore interrupts, `nohup` a hang-up; commands inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

_INHERITED = ("GIT_", "MLSTORE_")
_TERMINAL = ("FORCE_COLOR", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "PAGER", "PYTHONWARNINGS")


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the settings of whoever runs the tests, from us and from every command that a test starts."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_INHERITED) or name in _TERMINAL:
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
        # Many tests put an older store where a newer one was: only those that mean it remember heads.
        patch.setenv("MLSTORE_STATE", "")
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield
