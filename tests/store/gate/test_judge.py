"""Judging two artifacts by a rule: for each policy something that passes, and what must not."""

from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mlstore.compare import Artifact
from mlstore.gate import Judgement, Loading, Policy, judge
from mlstore.hashing import object_format
from mlstore.manifest import parse_manifest

FORMAT = object_format("blake3")
TOML = '[[gate.rules]]\npath = "{name}"\nequal = "{equal}"\n{more}\n{compare}'


def policy(text: str) -> Policy:
    manifest = parse_manifest(text)
    return Policy("commit", FORMAT.hash_bytes(text.encode()), manifest.gate, manifest.compare)


def judged(
    old: bytes | str,
    new: bytes | str,
    equal: str,
    more: str = "",
    *,
    name: str = "a.csv",
    compare: str = "",
    loading: Loading | None = None,
) -> Judgement:
    sides = [side if isinstance(side, bytes) else side.encode() for side in (old, new)]
    rules = policy(TOML.format(name=name, equal=equal, more=more, compare=compare))
    golden, current = (Artifact.from_bytes(data, name) for data in sides)
    found = judge(rules, name, golden, current, current_id=FORMAT.hash_bytes(sides[1]), loading=loading)
    assert (found.rule is None) == (found.outcome == "equal")
    return found


def npy(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values))
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(values) for name, values in arrays.items()})
    return buffer.getvalue()


def dump(model: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


# bytes and content


def test_the_same_bytes_are_equal_under_any_rule() -> None:
    assert judged("a\n1\n", "a\n1\n", "metric", 'key = "a"\nmin = 1').outcome == "equal"


def test_under_bytes_other_bytes_are_different_and_compared_only_to_explain() -> None:
    found = judged("a\n1.0\n", "a\n1.00\n", "bytes")
    assert found.outcome == "different"
    assert found.comparison is not None
    assert found.comparison.verdict == "equivalent"
    rules = policy("")
    sides = [Artifact.from_bytes(data, "a.csv") for data in (b"a\n1.0\n", b"a\n1.00\n")]
    assert judge(rules, "a.csv", *sides, explain=False).comparison is None


def test_under_content_another_encoding_is_equivalent_and_another_value_is_not() -> None:
    assert judged("a\n1.0\n", "a\r\n1.00\r\n", "content").outcome == "equivalent"
    assert judged("a\n1.0\n", "a\n1.01\n", "content").outcome == "different"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('a,b\n1,"x,y"\n', "a,b\n1,x,y\n"),  # ragged: readers disagree
        ("a,b\n1,\n", "a,b\n1\n"),
    ],
)
def test_a_table_that_readers_disagree_about_is_never_the_same_content(old: str, new: str) -> None:
    assert judged(old, new, "content").outcome == "undecided"
    assert not judged(old, new, "close", "atol = 1").passes


def test_a_damaged_or_hostile_model_is_undecided_under_every_rule_that_reads_it() -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return (os.system, ("touch harmed",))

    good, bad = dump({"a": 1.0}), dump({"a": 1.0, "b": Harm()})
    for equal, more in (("content", ""), ("close", "atol = 1"), ("parameters", "atol = 1")):
        for old, new in ((bad, pickle.dumps({"a": 1.0, "b": Harm()}, 2)), (good, good[:-3])):
            found = judged(old, new, equal, more, name="m.joblib")
            assert not found.passes, found
            assert found.comparison is not None
            assert not found.comparison.complete
        assert not judged(good, bad, equal, more, name="m.joblib").passes
    assert not Path("harmed").exists()


def test_a_missing_comparator_is_undecided() -> None:
    compare = '[[compare.rules]]\npath = "a.csv"\nas = "nobody"\n'
    assert judged("a\n1\n", "a\n1.0\n", "content", compare=compare).outcome == "undecided"


# close


@pytest.mark.parametrize("new", ["a,b\n1.0000001,x\n2,y\n", 'a,b\r\n"1.00",x\r\n2,y'])
def test_a_table_within_the_tolerance_is_equivalent(new: str) -> None:
    found = judged("a,b\n1.0,x\n2,y\n", new, "close", "atol = 1e-6")
    assert found.outcome == "equivalent", found.text


@pytest.mark.parametrize(
    "new",
    [
        "a,b\n1.00001,x\n2,y\n",  # beyond it
        "a,b\n1.0,z\n2,y\n",  # a text
        "a,b\n1.0,x\n",  # a row less
        "a,b\n1.0,x\n2,y\n2,y\n",  # a row more
        "a,c\n1.0,x\n2,y\n",  # another name
        "b,a\nx,1.0\ny,2\n",  # another order
        "a,b\n,x\n2,y\n",  # a null
        "a,b\n1e999,x\n2,y\n",  # infinite
    ],
)
def test_a_table_that_differs_otherwise_is_not_close(new: str) -> None:
    assert judged("a,b\n1.0,x\n2,y\n", new, "close", "atol = 1e-6\nrtol = 1e-9").outcome == "different"


def test_every_cell_may_move_within_the_tolerance() -> None:
    rows = [(n / 7, n / 3) for n in range(200)]
    old = "a,b\n" + "".join(f"{a!r},{b!r}\n" for a, b in rows)
    new = "a,b\n" + "".join(f"{a + 1e-10!r},{b - 1e-10!r}\n" for a, b in rows)
    found = judged(old, new, "close", "atol = 1e-9")
    assert found.outcome == "equivalent"
    assert found.text == "equivalent under rule 1 (max |d| 1e-10 <= 1e-09)"


def test_integers_beyond_floats_are_told_apart() -> None:
    big = 2**53
    for key in ("", '[[compare.rules]]\npath = "a.csv"\nkey = ["k"]\n'):
        old, new = f"k,a\n1,{big}\n", f"k,a\n1,{big + 1}\n"
        assert judged(old, new, "close", "atol = 0.5", compare=key).outcome == "different"
        assert judged(old, new, "close", "atol = 1", compare=key).outcome == "equivalent"


def test_with_a_key_rows_may_stand_elsewhere_but_not_come_or_go() -> None:
    compare = '[[compare.rules]]\npath = "a.csv"\nkey = ["k"]\n'
    old = "k,a\n1,1.5\n2,2.5\n"
    assert judged(old, "k,a\n2,2.5\n1,1.50001\n", "close", "atol = 1e-3", compare=compare).passes
    assert not judged(old, "k,a\n2,2.5\n1,1.6\n", "close", "atol = 1e-3", compare=compare).passes
    assert not judged(old, "k,a\n2,2.5\n3,1.5\n", "close", "atol = 1e-3", compare=compare).passes


@pytest.mark.parametrize(
    ("new", "passes"),
    [
        ([1.0, 2.0 + 1e-7, np.nan], True),
        ([1.0, 2.0 + 1e-5, np.nan], False),
        ([1.0, np.nan, 2.0], False),
        ([1.0, 2.0, np.inf], False),
        (np.array([1.0, 2.0, np.nan], np.float32), False),
        ([[1.0, 2.0, np.nan]], False),
    ],
)
def test_arrays_are_close_item_by_item(new: Any, passes: bool) -> None:
    for rule in ("atol = 1e-6", "rtol = 1e-6"):
        assert judged(npy([1.0, 2.0, np.nan]), npy(new), "close", rule, name="a.npy").passes is passes


def test_an_infinite_limit_lets_nothing_through() -> None:
    assert not judged(npy([np.inf]), npy([5.0]), "close", "rtol = 0.1", name="a.npy").passes
    assert not judged("a\n1e999\n", "a\n5.5\n", "close", "rtol = 0.1").passes
    assert not judged('{"a": Infinity}', '{"a": 5.0}', "close", "rtol = 0.1", name="a.json").passes


def test_archives_of_arrays_are_close_member_by_member() -> None:
    old = npz(a=[1.0], b=[2.0])
    assert judged(old, npz(a=[1.0], b=[2.0 + 1e-9]), "close", "atol = 1e-8", name="a.npz").passes
    for new in (npz(a=[1.0]), npz(a=[1.0], b=np.float32([2.0])), npz(a=[1.0], b=[2.1]), npz(a=[1], b=[2.0])):
        assert not judged(old, new, "close", "atol = 1e-8", name="a.npz").passes


@pytest.mark.parametrize(
    ("name", "old", "new", "passes"),
    [
        ("a.json", '{"a": [1, {"b": 0.5}]}', '{"a": [1.0, {"b": 0.5000001}]}', True),
        ("a.json", '{"a": 1, "b": true}', '{"a": 1, "b": 1}', False),
        ("a.json", '{"a": 1, "b": "0.5"}', '{"a": 1.0000001, "b": "0.5000001"}', False),
        ("a.json", '{"a": 1}', '{"a": 1, "b": 2}', False),
        ("a.json", '{"a": [1, 2]}', '{"a": [1]}', False),
        ("a.ini", "[s]\na = 0.5\n", "[s]\na = 0.5000001\n", True),
        ("a.ini", "[s]\na = x5\n", "[s]\na = x6\n", False),
        ("a.toml", "a = 1\n", "a = 2\n", False),
    ],
)
def test_configuration_is_close_value_by_value(name: str, old: str, new: str, passes: bool) -> None:
    assert judged(old, new, "close", "atol = 1e-6", name=name).passes is passes


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.json", '{"x": {"k": 0.95}}', '{"x": {"k": 0.1, "k": 0.95}}'),
        ("a.yaml", "x: {k: 0.95}\n", "x:\n  k: 0.1\n  k: 0.95\n"),
    ],
)
def test_a_key_that_stands_twice_is_never_taken_for_either_value(name: str, old: str, new: str) -> None:
    for equal, more in (("content", ""), ("close", "atol = 1"), ("metric", 'key = "x.k"\nmin = 0.9')):
        found = judged(old, new, equal, more, name=name)
        assert found.outcome == "undecided"
        assert "twice in one place" in found.text


def test_a_text_has_no_numbers_that_could_be_close() -> None:
    assert judged("x = 1.0\n", "x = 1.0\r\n", "close", "atol = 1", name="a.py").passes
    assert not judged("x = 1.0\n", "x = 1.1\n", "close", "atol = 1", name="a.py").passes


# parameters

X = np.arange(24.0).reshape(8, 3) % 7
Y = X @ [3.0, -2.0, 0.5]


def moved(by: float, **parameters: Any) -> Any:
    model = LinearRegression(**parameters).fit(X, Y)
    model.coef_ = model.coef_ + by
    return model


def test_fitted_arrays_within_the_tolerance_are_the_same_parameters() -> None:
    found = judged(dump(moved(0)), dump(moved(1e-12)), "parameters", "atol = 1e-9", name="m.joblib")
    assert found.outcome == "equivalent"
    assert found.text.startswith("equivalent under rule 1 (max |d| 1e-12 <= 1e-09")


@pytest.mark.parametrize(
    "new",
    [
        moved(1e-6),
        moved(0, fit_intercept=False),
        moved(0, n_jobs=1),
        LogisticRegression().fit(X, Y > 3),
        make_pipeline(StandardScaler(), LinearRegression()).fit(X, Y),
        {"model": moved(0)},
        np.array([1.0]),
    ],
    ids=["coef", "parameter", "another", "class", "pipeline", "in a dict", "an array"],
)
def test_other_parameters_are_different(new: Any) -> None:
    found = judged(dump(moved(0)), dump(new), "parameters", "atol = 1e-9", name="m.joblib")
    assert found.outcome == "different", found.text


def test_a_fitted_array_of_another_dtype_is_different() -> None:
    new = moved(0)
    new.coef_ = new.coef_.astype(np.float32).astype(np.float32)
    old = moved(0)
    old.coef_ = new.coef_.astype(np.float64)
    assert not judged(dump(old), dump(new), "parameters", "atol = 1", name="m.joblib").passes
    assert not judged(dump(old), dump(new), "close", "atol = 1", name="m.joblib").passes


def test_no_tolerance_applies_to_hyperparameters_under_parameters() -> None:
    old, new = (LogisticRegression(C=c).fit(X, Y > 3) for c in (1.0, 1.0))
    new.C = 1.0 + 1e-12
    assert not judged(dump(old), dump(new), "parameters", "atol = 1e-9", name="m.joblib").passes
    assert judged(dump(old), dump(new), "close", "atol = 1e-9", name="m.joblib").passes


def other_version(model: Any, version: str = "0.1") -> bytes:
    state = model.__getstate__()
    state["_sklearn_version"] = version

    class Other:
        def __reduce__(self) -> Any:
            return (LinearRegression, (), state)

    return dump(Other())


def test_only_between_versions_a_parameter_may_come_and_only_with_its_default() -> None:
    def without(name: str, value: Any = None) -> Any:
        model = moved(0)
        if value is not None:
            setattr(model, name, value)
        else:
            delattr(model, name)
        return model

    full = other_version(moved(0), "0.2")
    found = judged(other_version(without("n_jobs")), full, "parameters", name="m.joblib")
    assert found.outcome == "equivalent", found.text
    assert "scikit-learn 0.1 -> 0.2; 'n_jobs' known to one of the versions only" in found.text
    assert not judged(other_version(without("n_jobs"), "0.2"), full, "parameters", name="m.joblib").passes
    odd = other_version(without("n_jobs", 7), "0.2")
    assert not judged(other_version(without("n_jobs")), odd, "parameters", name="m.joblib").passes
    made_up = other_version(without("made_up", 7), "0.2")
    assert not judged(other_version(moved(0)), made_up, "parameters", name="m.joblib").passes


def pipeline_of(*names: str, **attributes: Any) -> Any:
    steps = {"scale": StandardScaler().fit(X), "clf": moved(0), "evil": moved(1)}
    model = Pipeline([(name.partition("=")[0], steps[name.partition("=")[2] or name]) for name in names])
    model.__dict__.update(attributes)
    return model


@pytest.mark.parametrize(
    "new",
    [
        pipeline_of("clf", "scale"),  # another order
        pipeline_of("clf", scale=StandardScaler().fit(X)),  # a step that stands beside the steps
        pipeline_of("scale", "clf=evil", clf=moved(0)),  # another one that hides behind golden's
        pipeline_of("scale", clf=moved(0)),
    ],
    ids=["order", "beside", "hidden", "gone"],
)
def test_a_pipeline_of_the_same_parts_put_together_otherwise_is_different(new: Any) -> None:
    old = dump(pipeline_of("scale", "clf"))
    assert judged(old, dump(pipeline_of("scale", "clf")), "parameters", name="m.joblib").outcome == "equal"
    for equal, more in (("parameters", "atol = 1e-9"), ("close", "atol = 1e-9"), ("content", "")):
        assert not judged(old, dump(new), equal, more, name="m.joblib").passes


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a.b": 1, "c": 2}, {"a": {"b": 1}, "c": 2}),
        ({"a": (1, 2)}, {"a": [1, 2]}),
        ({"a": {0: 1, 1: 2}}, {"a": [1, 2]}),
        ({"a#2": 1, "a": 2}, {"a": 2, "'a#2'": 1}),
    ],
)
def test_containers_that_look_alike_are_told_apart(old: Any, new: Any) -> None:
    for equal in ("content", "parameters"):
        assert not judged(pickle.dumps(old), pickle.dumps(new), equal, name="m.pkl").passes
        again = pickle.dumps(old, protocol=1)
        assert judged(pickle.dumps(old), again, equal, name="m.pkl").passes


def test_what_is_no_model_has_no_parameters() -> None:
    found = judged("a\n1.0\n", "a\n1.00\n", "parameters")
    assert (found.outcome, "not as a model" in found.text) == ("undecided", True)


# metric


@pytest.mark.parametrize(
    ("bounds", "new", "passes"),
    [
        ("min = 0.9", 0.9, True),
        ("min = 0.9", 0.89, False),
        ("max = 0.9", 0.91, False),
        ("max_change = 0.01", 0.94, True),
        ("max_change = 0.01", 0.93, False),
        ("min = 0.9\nmax_change = 1", 0.8, False),
        ("min = 0", float("nan"), False),
        ("max = 1", float("-inf"), False),
        ("min = 0", "0.95", False),
        ("min = 0", True, False),
        ("min = 0", None, False),
    ],
)
def test_a_metric_is_judged_by_its_bounds(bounds: str, new: Any, passes: bool) -> None:
    old = json.dumps({"test": {"accuracy": 0.945}})
    text = json.dumps({"test": {"accuracy": new}})
    found = judged(old, text, "metric", f'key = "test.accuracy"\n{bounds}', name="m.json")
    assert found.passes is passes, found.text
    assert found.outcome in ("equivalent", "different")


def test_several_metric_rules_for_one_file_count_together_and_the_last_for_one_key() -> None:
    text = "".join(
        f'[[gate.rules]]\npath = "{path}"\nequal = "metric"\nkey = {key}\n{bound}\n'
        for path, key, bound in (
            ("*.json", '["a", "b"]', "max_change = 1"),
            ("m.json", '"a"', "max_change = 5"),
        )
    )
    rules = policy(text)

    def by(a: float, b: float) -> Judgement:
        sides = [json.dumps({"a": x, "b": y}).encode() for x, y in ((0, 0), (a, b))]
        return judge(rules, "m.json", *(Artifact.from_bytes(data, "m.json") for data in sides))

    assert by(4, 0.5).outcome == "equivalent"
    assert by(4, 0.5).rule == "rules 1 and 2"
    assert by(6, 0.5).outcome == "different"
    assert by(4, 2).outcome == "different"


def test_ini_values_are_numbers_for_a_metric() -> None:
    old, new = "[t]\nauc = 0.91\n", "[t]\nauc = 0.92\n"
    assert judged(old, new, "metric", 'key = "t.auc"\nmax_change = 0.02', name="m.ini").passes
    assert not judged(old, new, "metric", 'key = "t.auc"\nmax_change = 0.001', name="m.ini").passes


# predictions

PROBE = "a,b,c\n" + "".join(",".join(map(str, row)) + "\n" for row in X.tolist())
RULE = 'on = "probe.csv"\natol = 1e-9'


def loading(trusted: bool = True, probe: str | None = PROBE, time_limit: float = 60) -> Loading:
    def find(path: str) -> Artifact | None:
        assert path == "probe.csv"
        return Artifact.from_bytes(probe.encode(), path) if probe is not None else None

    return Loading(FORMAT, find, lambda *_: "a test says so" if trusted else None, time_limit)


def test_models_that_predict_otherwise_are_different() -> None:
    found = judged(dump(moved(0)), dump(moved(1e-3)), "predictions", RULE, name="m.joblib", loading=loading())
    assert (found.outcome, found.loaded) == ("different", True)


@pytest.mark.parametrize("how", [None, loading(trusted=False), loading(probe=None)])
def test_a_model_is_not_loaded_unless_somebody_vouches_for_it(how: Loading | None, tmp_path: Path) -> None:
    found = judged(dump(moved(0)), dump(Marks(tmp_path)), "predictions", RULE, name="m.joblib", loading=how)
    assert (found.outcome, found.loaded) == ("undecided", False)
    assert list(tmp_path.iterdir()) == []


class Marks:
    """Leaves a folder behind when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.folder / "ran"),))


def test_what_is_trusted_does_run_and_sees_nothing_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hidden")
    code = f"open({str(tmp_path / 'seen')!r}, 'w').write(repr(dict(__import__('os').environ)))"
    found = judged(
        dump(moved(0)), dump(Reduced(compile_call(code))), "predictions", RULE,
        name="m.joblib", loading=loading(),
    )  # fmt: skip
    assert (found.outcome, found.loaded) == ("undecided", True)
    assert "the current model did not predict" in found.text
    seen = (tmp_path / "seen").read_text()
    assert "TMPDIR" in seen
    assert "hidden" not in seen


def compile_call(text: str) -> tuple[Any, ...]:
    return (eval, (text,))


class Reduced:
    def __init__(self, call: tuple[Any, ...]) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call


def test_a_model_that_takes_too_long_is_ended() -> None:
    slow = Reduced(compile_call("__import__('time').sleep(60)"))
    found = judged(
        dump(slow), dump(moved(0)), "predictions", RULE, name="m.joblib", loading=loading(time_limit=0.5)
    )
    assert found.outcome == "undecided"
    assert "it took more than 0.5 s" in found.text
