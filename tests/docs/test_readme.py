"""The README is true: its tour is run as it stands, its links lead somewhere, its pipeline is a pipeline."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support import FIXTURES, environment

from mlstore.manifest import parse_manifest

ROOT = FIXTURES.parent
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

_ID = re.compile(r"\b[0-9a-f]{10}\b")
_CHANGES_FROM_RUN_TO_RUN = (
    (_ID, "<id>"),
    (re.compile(r"\d+\.\d s\b"), "<time>"),
    (re.compile(r"/\S*/tour\b"), "<tour>"),
    (re.compile(r"\d+\.\d KiB"), "<size>"),
)


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def normalise(text: str) -> str:
    for pattern, word in _CHANGES_FROM_RUN_TO_RUN:
        text = pattern.sub(word, text)
    return text


def test_the_tour_prints_what_the_readme_shows(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES, tmp_path / "fixtures", ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path
    env = environment({"COLUMNS": "80"})
    shown, printed = [], []
    for block in blocks("console"):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            shown.append(f"$ {command}\n{output}")
            done = subprocess.run(
                command,
                shell=True,
                cwd=folder,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                check=False,
            )
            printed.append(f"$ {command}\n{done.stdout.replace(chr(13), '')}")
            if command.endswith("cd tour"):
                folder = tmp_path / "tour"
    assert len(shown) > 8
    assert normalise("".join(printed)) == normalise("".join(shown))


def test_the_pipeline_that_the_readme_shows_can_be_read() -> None:
    (text,) = blocks("toml")
    assert list(parse_manifest(text).stages) == ["generate", "clean", "train"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text("utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_two_commands_of_the_readme_are_there() -> None:
    (commands,) = blocks("sh")
    script = (ROOT / "dev").read_text("utf-8")
    for line in commands.splitlines():
        word, command = line.split()[:2]
        assert (ROOT / word).is_file()
        assert f'"{command}"' in script


def test_the_documented_json_has_the_keys_that_are_printed() -> None:
    import json
    from dataclasses import fields

    from mlstore.verify import Finding, Report, StageVerdict

    text = (ROOT / "docs/pipeline.md").read_text("utf-8")
    (example,) = blocks("json", text)
    value = json.loads(example)
    assert value.keys() == {"schema", *Report("HEAD", None).to_dict()}
    assert value["findings"][0].keys() == {field.name for field in fields(Finding)}
    assert value["stages"][0].keys() == {field.name for field in fields(StageVerdict)}


def test_every_kind_of_finding_is_documented() -> None:
    text = (ROOT / "docs/pipeline.md").read_text("utf-8")
    source = "".join(path.read_text("utf-8") for path in (ROOT / "store/mlstore/verify").glob("*.py"))
    kinds = set(re.findall(r'Finding\(\s*"([a-z-]+)"', source))
    assert len(kinds) > 10
    missing = {kind for kind in kinds if f"`{kind}`" not in text}
    assert not missing
