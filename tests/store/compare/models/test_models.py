"""What is shown of models, and what is said to differ between two of them."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from tests.store.compare.models.support import PACKERS, dump, look

from mlstore.compare import Artifact, Settings, Verdict, compare_artifacts
from mlstore.compare.models.arrays import range_of
from mlstore.compare.models.nodes import Array

X, Y = load_iris(return_X_y=True)


def pipeline(**options):
    steps = [("scaler", StandardScaler()), ("clf", LogisticRegression(**options))]
    return Pipeline(steps).fit(X, Y)


def compare(old, new, settings: Settings | None = None):
    sides = [
        Artifact.from_bytes(one if isinstance(one, bytes) else dump(one), "m.joblib") for one in (old, new)
    ]
    return compare_artifacts(*sides, settings)


def values(data: bytes) -> dict[str, object]:
    return {leaf.path: leaf.value for leaf in look(data).leaves}


def test_a_pipeline_is_shown_with_its_steps_parameters_arrays_and_version() -> None:
    import sklearn

    model = pipeline(C=2.0)
    found = look(dump(model))
    assert found.verdict == "known"
    assert found.versions() == [sklearn.__version__]
    by_path = {(leaf.path, leaf.role): leaf for leaf in found.leaves}
    assert by_path["scaler", "class"].value == "sklearn.preprocessing._data.StandardScaler"
    assert by_path["clf.C", "parameter"].value == 2.0
    coef = by_path["clf.coef_", "fitted"].value
    assert isinstance(coef, Array)
    assert (coef.shape, str(coef.dtype)) == ((3, 4), "<f8")
    assert range_of(coef) == (model["clf"].coef_.min(), model["clf"].coef_.max())
    assert found.to_dict()["values"][0]["value"].endswith("Pipeline")


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_and_numbers_of_every_protocol(protocol: int) -> None:
    data = {
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big": np.arange(3, dtype=">i4"),
        "date": np.array(["2026-01-16"], "M8[D]"),
        "text": np.array(["ab", "c"]),
        "rows": np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]),
        "number": np.float64(2.5),
        "bytes": b"\x00\xff",
        "set": {1, 2},
        "complex": 1j,
        "int": 1 << 70,
    }
    found = look(pickle.dumps(data, protocol), "m.pkl")
    assert found.verdict == "known", found.warnings()
    seen = {leaf.path: leaf.value for leaf in found.leaves if leaf.role != "class"}
    for name, dtype in (("f", "<f8"), ("big", ">i4"), ("date", "<M8[D]"), ("text", "<U2")):
        assert isinstance(seen[name], Array), name
        assert str(seen[name].dtype) == dtype
    assert seen["f"].fortran
    assert (seen["number"], seen["int"]) == (2.5, 1 << 70)
    assert "a: <i4" in str(seen["rows"].dtype)


ESTIMATORS = [
    RandomForestRegressor(3),
    GradientBoostingClassifier(n_estimators=2),
    HistGradientBoostingClassifier(max_iter=2),
    SVC(),
    SGDClassifier(),
    KNeighborsClassifier(),
    GridSearchCV(LogisticRegression(max_iter=500), {"C": [1.0, 2.0]}, cv=2),
    ColumnTransformer([("scale", MinMaxScaler(), [0, 1]), ("one", OneHotEncoder(), [2])]),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: type(one).__name__)
def test_usual_estimators_are_known_and_equal_themselves_in_another_encoding(estimator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = estimator.fit(X, Y)
    raw = dump(model)
    found = look(raw)
    assert found.verdict == "known", found.warnings()
    for other in (dump(model, compress=3), pickle.dumps(model, 2), pickle.dumps(model, 5)):
        answer = compare(raw, other)
        assert answer.verdict is Verdict.EQUIVALENT, answer.lines()


def test_a_vectorizer_with_its_vocabulary() -> None:
    model = TfidfVectorizer().fit(["a red fox", "a blue fox"])
    assert look(dump(model)).verdict == "known"
    found = compare(model, TfidfVectorizer().fit(["a red fox", "a green fox"]))
    assert "vocabulary_.blue removed: 0" in found.lines()


@pytest.mark.parametrize("packer", PACKERS)
def test_compression_is_encoding(packer: str) -> None:
    raw = dump(pipeline())
    packed = PACKERS[packer](raw)
    assert compare(raw, packed).verdict is (Verdict.EQUAL if packer == "raw" else Verdict.EQUIVALENT)


def test_a_changed_parameter_and_what_it_did_to_the_arrays() -> None:
    found = compare(pipeline(C=1.0), pipeline(C=2.0))
    assert found.verdict is Verdict.DIFFERENT
    assert found.measures["parameters_changed"] == 1
    assert found.measures["arrays_changed"] == 2
    assert found.lines()[1] == "clf.C 1.0 -> 2.0 (|d| = 1)"
    assert any("clf.coef_ <f8[3, 4] changed (12 of 12, max |d| = " in line for line in found.lines())


def test_the_last_bits_of_an_array_are_measured() -> None:
    old, new = pipeline(), pipeline()
    new["clf"].coef_[1, 2] = np.nextafter(old["clf"].coef_[1, 2], np.inf)
    distance = abs(new["clf"].coef_[1, 2] - old["clf"].coef_[1, 2])
    found = compare(old, new)
    assert found.verdict is Verdict.DIFFERENT
    assert found.measures["max_abs"] == distance
    assert (found.measures["arrays_changed"], found.measures["parameters_changed"]) == (1, 0)
    assert found.measures["beyond_tolerance"] == 1
    assert "at [1, 2]" in found.lines()[1]
    close = compare(old, new, Settings(atol=1e-9))
    assert (close.measures["beyond_tolerance"], close.verdict) == (0, Verdict.DIFFERENT)


def test_the_versions_are_named_apart_from_everything_else() -> None:
    import sklearn

    old = dump(LinearRegression().fit(X, Y), protocol=2)
    version = sklearn.__version__.encode()
    new = old.replace(version, version[:-1] + b"0")
    found = compare(old, new)
    assert found.summary == "1 recorded version changed"
    assert (found.measures["versions_changed"], found.measures["parameters_changed"]) == (1, 0)
    assert found.measures["old_versions"] != found.measures["new_versions"]


def test_steps_added_removed_and_replaced_are_one_line_each() -> None:
    old = Pipeline([("scaler", StandardScaler()), ("clf", LogisticRegression())]).fit(X, Y)
    new = Pipeline(
        [("scaler", MinMaxScaler()), ("extra", StandardScaler()), ("clf", LogisticRegression())]
    ).fit(X, Y)
    lines = compare(old, new, Settings(rows=100)).lines()
    assert "scaler StandardScaler -> MinMaxScaler" in lines
    assert "extra added: StandardScaler" in lines
    assert not [line for line in lines if line.startswith(("scaler.", "extra."))]
    assert "extra removed: StandardScaler" in compare(new, old).lines()
    assert compare(LinearRegression(), LogisticRegression()).lines()[1] == (
        "the model LinearRegression -> LogisticRegression"
    )


def test_another_shape_or_dtype_of_an_array() -> None:
    found = compare({"a": np.zeros(3)}, {"a": np.zeros(4)})
    assert found.lines()[1] == "a <f8[3] -> <f8[4]"
    found = compare({"a": np.zeros(3)}, {"a": np.ones(3, "f4")})
    assert found.lines()[1].startswith("a <f8[3] -> <f4[3] (3 of 3, max |d| = 1")
    assert compare({"a": np.zeros(3)}, {"a": np.zeros(3, "f4")}).verdict is Verdict.DIFFERENT


def test_the_order_in_memory_is_encoding() -> None:
    array = np.arange(6.0).reshape(2, 3)
    assert compare({"a": array}, {"a": np.asfortranarray(array)}).verdict is Verdict.EQUIVALENT
    other = array.copy()
    other[1, 0] = 9
    assert "at [1, 0]" in compare({"a": array}, {"a": np.asfortranarray(other)}).lines()[1]


def test_arrays_too_large_to_be_kept_are_read_again() -> None:
    old = np.zeros(3_000_000)
    new = old.copy()
    new[2_999_999] = 0.5
    small = Settings(memory=16 << 20)
    for options in ({}, {"compress": 1}):
        found = compare(dump([old, 1], **options), dump([new, 1], **options), small)
        assert found.measures["max_abs"] == 0.5
        assert "at [2999999]" in found.lines()[1]
    plain = compare(pickle.dumps([old], 5), pickle.dumps([new], 5), small)
    assert plain.verdict is Verdict.DIFFERENT


def test_classes_of_ones_own_are_told_until_they_are_allowed() -> None:
    data = b"\x80\x02cmine.features\nScaler\n)\x81}X\x01\x00\x00\x00aK\x01sb."
    assert look(data).verdict == "suspicious"
    assert "is not on the allow-list" in look(data).warnings()[0]
    assert look(data, settings=Settings(allow=frozenset({"mine.features.Scaler"}))).verdict == "known"
    assert look(data, settings=Settings(allow=frozenset({"mine.features"}))).verdict == "suspicious"


def test_two_suspicious_models_that_look_alike_are_not_called_the_same() -> None:
    old, new = (
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01" + letter + b"\x85R0N." for letter in (b"a", b"b")
    )
    found = compare(old, new)
    assert found.verdict is Verdict.INCOMPLETE
    assert found.measures["suspicious"]
    assert "global 'os.system'" in found.lines()[1]


def test_a_damaged_model_is_incomplete_or_different_and_never_equivalent() -> None:
    good = dump(pipeline())
    for cut in range(1, len(good), 97):
        found = compare(good, good[:-cut])
        assert found.verdict in (Verdict.INCOMPLETE, Verdict.DIFFERENT)
        assert not found.complete
