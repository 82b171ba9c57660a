"""``predictions``: both models predict the same on a table, within the tolerance.

This is the one rule that deserialises, and so runs, what is in a model. It does so only with golden's own
bytes and with those that somebody trusted vouches for, each in a process of its own: a fresh interpreter in
isolated mode, no environment, a folder of its own, a time limit. The verdict says that it did. That is no
sandbox.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlstore.compare import Artifact, Settings, compare_artifacts
from mlstore.errors import MlstoreError
from mlstore.gate.close import by_closeness
from mlstore.gate.judgement import Case, Judgement
from mlstore.gate.loading import Loading
from mlstore.hashing import hash_path
from mlstore.manifest import GateRule

if TYPE_CHECKING:
    import subprocess

_SCRIPT = Path(__file__).with_name("predicting.py")
_LONGEST_REASON = 200


class _Unable(Exception):
    """The models were not both made to predict; the text says why."""


def by_predictions(rule: GateRule, case: Case) -> Judgement:
    """Judge two models by what they predict on the golden probe."""
    found = compare_artifacts(case.golden, case.current, case.settings, case.wanted)
    try:
        probe, reason = _permit(rule, case)
    except _Unable as exc:
        text = f"undecided under {rule.name}: {exc}"
        return Judgement("undecided", rule.name, text, found)
    assert case.loading is not None
    loaded = f"both models were loaded: {reason}"
    try:
        judged = _predict_and_compare(rule, case, case.loading, probe)
    except _Unable as exc:
        text = f"undecided under {rule.name}: {exc}; {loaded}"
        return Judgement("undecided", rule.name, text, found, loaded=True)
    text = f"{judged.text.removesuffix(')')}; {loaded})" if judged.passes else f"{judged.text}; {loaded}"
    return replace(judged, text=text, comparison=found, loaded=True)


def _permit(rule: GateRule, case: Case) -> tuple[Artifact, str]:
    """Give the probe, and why the current model may be loaded."""
    loading = case.loading
    if loading is None or case.current_id is None:
        raise _Unable("models are not loaded here")
    reason = loading.trust(case.path, case.current_id) if loading.trust is not None else None
    if reason is None:
        raise _Unable("its bytes are neither golden's own nor vouched for, so it was not loaded")
    probe = loading.probe(str(rule.on))
    if probe is None:
        raise _Unable(f"golden has no '{rule.on}' to predict on")
    return probe, reason


def _predict_and_compare(rule: GateRule, case: Case, loading: Loading, probe: Artifact) -> Judgement:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="mlstore-predict-") as folder:
        scratch = Path(folder)
        table = _write(probe, scratch / f"probe{probe.suffix}")
        outputs = []
        for name, side in (("golden", case.golden), ("current", case.current)):
            model = _write(side, scratch / f"{name}{side.suffix}")
            if name == "current" and hash_path(loading.format, model).id != case.current_id:
                raise _Unable("its bytes changed while it was read")
            output = scratch / f"{name}.npz"
            _predict(name, (model, table, output), scratch, loading.time_limit)
            outputs.append(Artifact.from_path(output, "predictions.npz"))
        settings = Settings(case.settings.rows, case.settings.memory)
        golden, current = outputs
        return by_closeness(rule, Case("predictions.npz", golden, current, settings, "arrays"))


def _write(side: Artifact, path: Path) -> Path:
    try:
        with path.open("xb") as file:
            for piece in side.pieces():
                file.write(piece)
    except (OSError, MlstoreError) as exc:
        raise _Unable(f"'{side.name}' cannot be read: {exc}") from None
    return path


def _predict(name: str, files: tuple[Path, Path, Path], scratch: Path, seconds: float) -> None:
    import subprocess

    words = [sys.executable, "-I", "-X", "utf8", str(_SCRIPT), *map(str, files), str(seconds)]
    # One thread, or sums come out in another order; home and temporary files stay in the scratch folder.
    env = {
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    said = scratch / f"{name}.said"
    try:
        with (
            said.open("xb") as errors,
            subprocess.Popen(
                words,
                cwd=scratch,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            ) as process,
        ):
            status = _wait(process, seconds)
    except OSError as exc:
        raise _Unable(f"no process could be started: {exc}") from None
    if status != 0 or not files[2].is_file():
        reason = _last_line(said) or f"exit status {status}"
        raise _Unable(f"the {name} model did not predict: {reason}")


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Give its exit status; when its time is up it ends, and all that it started."""
    import signal
    import subprocess

    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise _Unable(f"it took more than {seconds:g} s to load and to predict") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read().decode("utf-8", "replace").strip().rpartition("\n")[2][:_LONGEST_REASON]
