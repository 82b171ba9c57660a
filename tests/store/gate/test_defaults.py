"""Defaults of an estimator's parameters, as its source has them: read, and never imported."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from mlstore.gate import defaults
from mlstore.gate.defaults import MISSING, default_of


@pytest.fixture(autouse=True)
def _forget() -> None:
    defaults._defaults.cache_clear()


@pytest.mark.parametrize("estimator", [Ridge, LogisticRegression])
def test_they_are_those_of_the_installed_class(estimator: type) -> None:
    name = f"{estimator.__module__}.{estimator.__qualname__}"
    for parameter in inspect.signature(estimator).parameters.values():
        assert default_of(name, parameter.name) == parameter.default
    assert default_of(name, "no_such_parameter") is MISSING


@pytest.mark.parametrize(
    "name",
    [
        "sklearn.linear_model._ridge.NoSuchClass",
        "sklearn.no_such_module.Ridge",
        "sklearn.linear_model.../../secret.Ridge",
        "os.path.Ridge",
        "Ridge",
    ],
)
def test_what_is_not_there_or_not_scikit_learn_has_none(name: str) -> None:
    assert default_of(name, "alpha") is MISSING


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is taken for scikit-learn."""
    spec = ModuleSpec("sklearn", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(defaults, "find_spec", lambda _name: spec)
    return tmp_path


def test_only_literals_of_the_class_itself_count(package: Path) -> None:
    (package / "a.py").write_text(
        "class Other:\n    def __init__(self, x=1): ...\n"
        "class One:\n"
        "    y = 5\n"
        "    def fit(self, x=2): ...\n"
        "    def __init__(self, none, /, x=3, *, needed, w=[1, 'a'], f=max, n=-1): ...\n"
        "class Bare:\n    y = 5\n"
        "def One(x=4): ...\n"
    )
    assert [default_of("sklearn.a.One", name) for name in ("x", "w", "n")] == [3, [1, "a"], -1]
    assert [default_of("sklearn.a.One", name) for name in ("none", "needed", "f")] == [MISSING] * 3
    assert default_of("sklearn.a.Bare", "y") is MISSING


def test_the_file_of_a_package_is_its_init(package: Path) -> None:
    (package / "b").mkdir()
    (package / "b" / "__init__.py").write_text("class One:\n    def __init__(self, x=7): ...\n")
    assert default_of("sklearn.b.One", "x") == 7


@pytest.mark.parametrize("source", ["class One(", "\0", "class One:\n    x = " + "(" * 5000])
def test_a_source_that_cannot_be_read_says_nothing(package: Path, source: str) -> None:
    (package / "a.py").write_text(source)
    assert default_of("sklearn.a.One", "x") is MISSING


def test_a_very_large_source_is_not_parsed(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / "a.py").write_text("class One:\n    def __init__(self, x=7): ...\n")
    monkeypatch.setattr(defaults, "_LARGEST", 10)
    assert default_of("sklearn.a.One", "x") is MISSING


def test_without_scikit_learn_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "find_spec", lambda _name: None)
    assert default_of("sklearn.linear_model._ridge.Ridge", "alpha") is MISSING


def test_nothing_is_imported_for_it() -> None:
    code = """if True:
        import sys
        from mlstore.gate.defaults import default_of
        assert default_of("sklearn.linear_model._ridge.Ridge", "alpha") == 1.0
        assert not {name for name in sys.modules if name.startswith(("sklearn", "numpy"))}
    """
    subprocess.run([sys.executable, "-c", code], check=True)
