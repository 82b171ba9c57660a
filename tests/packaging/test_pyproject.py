"""pyproject.toml says what it must, and the files around the code agree with it and with the code."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import mlstore

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
LIBRARY = ROOT / "store" / "mlstore"

# Where the name that is imported is not the name that is installed.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml"}


def requirements() -> list[str]:
    groups = PROJECT["optional-dependencies"].values()
    return [*PYPROJECT["build-system"]["requires"], *PROJECT["dependencies"], *(r for g in groups for r in g)]


def third_party_imports() -> set[str]:
    found: set[str] = set()
    for path in [*LIBRARY.rglob("*.py"), *(ROOT / "cli").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"mlstore", "mlstore_cli"}


def layer_names() -> list[str]:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c["type"] == "layers" and "containers" in c)
    return [name.strip(" ()") for line in layers for name in re.split(r"[|:]", line)]


def test_every_dependency_has_a_lower_bound_and_no_other() -> None:
    wrong = [r for r in requirements() if not re.fullmatch(r"[A-Za-z0-9_.-]+>=\d+(\.\d+)*", r)]
    assert wrong == []


def test_every_third_party_import_is_a_declared_dependency() -> None:
    optional = PROJECT["optional-dependencies"][
        "parquet"
    ]  # imported where it is there, and said where it is not
    declared = {re.split(r"[^A-Za-z0-9_.-]", r)[0].lower() for r in [*PROJECT["dependencies"], *optional]}
    assert {DISTRIBUTIONS.get(name, name) for name in third_party_imports()} <= declared


def test_every_module_of_the_library_has_a_layer() -> None:
    modules = {p.stem for p in LIBRARY.glob("*.py")} - {"__init__", "__main__"}
    modules |= {p.parent.name for p in LIBRARY.glob("*/__init__.py")}
    assert modules <= set(layer_names())


def test_no_layer_is_named_twice() -> None:
    assert sorted(layer_names()) == sorted(set(layer_names()))


def test_both_packages_are_marked_as_typed() -> None:
    for package in PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert (ROOT / package / "py.typed").is_file()


def test_the_newest_changelog_entry_is_the_version_of_the_package() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\] - (unreleased|\d{4}-\d{2}-\d{2})$", changelog, flags=re.MULTILINE)
    assert headings[0][0] == mlstore.__version__
    assert "version" in PROJECT["dynamic"]


def test_the_licence_file_is_the_declared_licence() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["license"] == "Apache-2.0"
    assert re.search(r"Apache License\s+Version 2\.0, January 2004", licence)
    assert "END OF TERMS AND CONDITIONS" in licence
