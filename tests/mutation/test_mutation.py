"""The driver itself: what it changes, what it puts into loaded functions, and which tests it chooses."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.mutation.choosing import Chooser
from tests.mutation.measuring import Measured
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.swapping import NeedsImport, swap

SOURCE = """\
LIMIT = 3


def small(number: int) -> bool:
    return number < LIMIT


class Counter:
    step = 1

    def add(self, number: int) -> int:
        def inner() -> int:
            return number + self.step
        return inner()


def first(items):
    for item in items:
        if not item:
            continue
        return item
    raise ValueError("nothing")
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[ModuleType]:
    path = tmp_path / "changed.py"
    path.write_text(SOURCE)
    module = ModuleType("changed")
    module.__file__ = str(path)
    sys.modules["changed"] = module
    exec(compile(SOURCE, str(path), "exec"), module.__dict__)
    yield module
    del sys.modules["changed"]


def mutant(what: str) -> Mutant:
    (found,) = (one for one in mutants_of(Path("changed.py"), SOURCE) if one.what == what)
    return found


def put_in(module: ModuleType, what: str) -> None:
    assert module.__file__ is not None
    swap(module.__file__, SOURCE, mutant(what).tree())


def test_every_change_is_one_change() -> None:
    found = mutants_of(Path("changed.py"), SOURCE)
    assert sorted((one.line, one.what) for one in found) == [
        (1, "3 -> 4"),
        (5, "Lt -> LtE"),
        (9, "1 -> 2"),
        (13, "Add -> Sub"),
        (19, "if not item -> if not"),
        (20, "continue -> pass"),
        (22, "raise ValueError('nothing') -> pass"),
    ]
    plain = ast.unparse(ast.parse(SOURCE))
    assert len({ast.unparse(one.tree()) for one in found} - {plain}) == len(found)


def test_a_loaded_function_gets_the_changed_code_wherever_it_was_imported(loaded: ModuleType) -> None:
    small = loaded.small
    assert not small(3)
    put_in(loaded, "Lt -> LtE")
    assert small(3)


def test_a_function_inside_of_a_method_is_changed_too(loaded: ModuleType) -> None:
    counter = loaded.Counter()
    put_in(loaded, "Add -> Sub")
    assert counter.add(5) == 4


@pytest.mark.parametrize("what", ["3 -> 4", "1 -> 2"])
def test_what_runs_at_import_is_left_alone_and_said_to_need_one(loaded: ModuleType, what: str) -> None:
    with pytest.raises(NeedsImport):
        put_in(loaded, what)
    assert (loaded.LIMIT, loaded.Counter.step) == (3, 1)


def chooser(budget: float = 10.0, only: frozenset[str] | None = None) -> Chooser:
    seconds = {"a/test_changed.py::slow": 5.0, "b/test_other.py::quick": 0.1, "b/test_other.py::slow": 6.0}
    every = frozenset(seconds)
    lines = {5: every, 19: every, 22: frozenset({"b/test_other.py::quick"})}
    return Chooser(Measured(seconds, {"changed.py": lines}, frozenset()), budget, only)


def test_only_tests_that_execute_the_line_are_chosen() -> None:
    assert chooser().choose(mutant("raise ValueError('nothing') -> pass")) == ["b/test_other.py::quick"]
    assert chooser().choose(mutant("Add -> Sub")) == []


def test_the_quickest_go_first_and_no_more_than_the_budget_but_one() -> None:
    quick, near = "b/test_other.py::quick", "a/test_changed.py::slow"
    assert chooser().choose(mutant("Lt -> LtE")) == [quick, near]
    assert chooser(0.01).choose(mutant("Lt -> LtE")) == [quick]
    assert chooser(10.0, frozenset({near})).choose(mutant("Lt -> LtE")) == [near]


def test_a_test_that_noticed_a_change_of_the_module_goes_first() -> None:
    learning = chooser()
    for _ in range(300):
        learning.learn(mutant("Add -> Sub"), "b/test_other.py::slow")
    assert learning.choose(mutant("Lt -> LtE"))[0] == "b/test_other.py::slow"


def test_a_jump_counts_with_the_condition_before_it() -> None:
    assert "b/test_other.py::quick" in chooser().choose(mutant("continue -> pass"))


def test_what_runs_at_import_is_for_all_tests_of_the_module() -> None:
    assert len(chooser(100.0).choose(mutant("3 -> 4"))) == 3
