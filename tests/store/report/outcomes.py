"""Outcomes for the tests of formats: an ordinary one, and one whose every text is out for harm."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

from mlstore.report.outcome import Outcome, outcome_of
from mlstore.verify import Finding, FsckReport, Report, StageVerdict

TIME = "2026-01-16T15:24:48Z"
ID = "5b06e914ab" + "0" * 54
OTHER = "1c4f7a90b2" + "f" * 54
JUNIT_SCHEMA = Path(sys.prefix) / "schemas" / "junit-10.xsd"  # ./dev puts it there

HARM = (
    "</script><img src=x onerror=alert(1)><script>alert(2)</script>\n::error::forged\n::set-output name=a::b"
    "\r##[add-mask]x ]]>&amp;\x00\x1b[2J\u202egnp.\u2066 | `x` **b** [l](javascript:1) @all #1 {0}"
    " \ufffe\udc80'q' \"p\""
)


def ordinary() -> Outcome:
    """A pipeline that differs: a cause, what follows from it, a damaged object, a warning, a note."""
    report = Report("HEAD", ID, against="golden")
    report.stages = [
        StageVerdict("fetch", "match", ID, ID, ID, ID, "observed"),
        StageVerdict("clean", "changed-input", ID, ID, OTHER, OTHER, "observed"),
        StageVerdict("train", "changed-input", ID, ID, OTHER, OTHER, "observed"),
        StageVerdict("deploy", "missing", None, None, OTHER, OTHER, None),
    ]
    cause = "config.ini: clean.rows 1 -> 2"
    report.findings = [
        Finding("corrupt-object", "object 5b06e914ab is corrupt", expected=ID, actual=OTHER, hint="again"),
        Finding("changed-input", "stage 'clean': its input changed: 'config.ini#clean'", stage="clean",
                commit=ID, path="config.ini", expected=ID, actual=OTHER, cause=cause,
                details=(cause, "one more")),
        Finding("missing", "stage 'deploy' of golden is not there", stage="deploy", expected=OTHER),
        Finding("changed-input", "stage 'train': its input changed: 'a.csv'", stage="train", path="a.csv",
                cause="follows from 'clean' (changed-input)", consequence=True),
        Finding("stranger", "'objects/x' is not an object", severity="warning", path="objects/x"),
        Finding("outside-pipeline", "'notes.txt' is modified since golden", severity="info",
                path="notes.txt"),
    ]  # fmt: skip
    report.checked = {"commits": 6, "blobs": 9, "bytes": 150_013, "stages": 4, "files": 8, "pins": 1}
    report.skipped = {"history": "blobs of earlier commits only; see --history"}
    return outcome_of(report, time=TIME)


def sound() -> Outcome:
    """A pipeline in which everything is as it should be."""
    report = Report("HEAD", ID)
    report.stages = [StageVerdict("fetch", "ok", ID, ID, record="observed")]
    report.checked = {"commits": 1, "bytes": 1, "stages": 1, "files": 1}
    report.skipped = {"pins": "there is no mlstore.lock", "signatures": "not asked for"}
    return outcome_of(report, time=TIME)


def hostile() -> Outcome:
    """Harm in every field that can come out of a file, a store or a command line."""
    report = Report(HARM, ID, against=HARM)
    report.stages = [StageVerdict(HARM, "diverged", ID, ID, OTHER, OTHER, "observed")]
    report.findings = [
        Finding("diverged", HARM, stage=HARM, commit=HARM, path=HARM, expected=HARM, actual=HARM, cause=HARM,
                hint=HARM, details=(HARM + "1", HARM + "2"), rule=HARM),
        Finding(HARM, HARM, path=HARM),
    ]  # fmt: skip
    report.checked = {"commits": 1, "bytes": 1}
    report.skipped = {HARM: HARM}
    return outcome_of(report, time=TIME)


def damaged_store() -> Outcome:
    """What `fsck` says of a store with damage."""
    report = FsckReport(
        [
            Finding("corrupt-file", "'index' is corrupt", path="index"),
            Finding(
                "missing-object", "'refs/heads/main' points to nothing", path="refs/heads/main", expected=ID
            ),
            Finding("missing-object", "'data/a.csv' is not in the store", path="data/a.csv", expected=ID),
        ],
        checked={"objects": 7, "bytes": 100},
    )
    return outcome_of(report, time=TIME, prefix="models/")


def all_outcomes() -> dict[str, Outcome]:
    return {made.__name__: made() for made in (ordinary, sound, hostile, damaged_store)}


def schema_of(package: str, path: str) -> dict[str, object]:
    """Read a schema that an installed package ships, without importing that package."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return json.loads((Path(spec.origin).parent / path).read_text(encoding="utf-8"))
