"""Looking at a part: chosen so that nobody can foresee it, repeatable by the seed, counted to the byte."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.verify.building import Pipeline

import mlstore.verify.content as content
from mlstore.errors import UsageError
from mlstore.hashing import OBJECT_FORMATS, ObjectId, object_format
from mlstore.verify import Sample, Selection, parse_duration, parse_sample, verify
from mlstore.verify.sampling import Share
from mlstore.worktree import add_paths

BLAKE3 = object_format(OBJECT_FORMATS[0])
IDS = [BLAKE3.hash_bytes(str(number).encode()) for number in range(240)]


@pytest.fixture
def many(tmp_path: Path) -> Pipeline:
    """A pipeline with 200 files more, some of them empty or large; all packs and loose files."""
    pipeline = Pipeline(tmp_path / "repo")
    for number in range(200):
        pipeline.write(f"files/{number}", "x" * number)
    (pipeline.root / "files/large").write_bytes(bytes(range(256)) * 8192)
    add_paths(pipeline.repo, ["files"])
    pipeline.run()
    return pipeline


# --- what is chosen ---


@pytest.mark.parametrize(
    ("text", "value"), [("5%", Share(5)), ("0.5%", Share(0.5)), ("100%", Share(100)), ("2/5", Sample(2, 5))]
)
def test_samples_are_read(text: str, value: object) -> None:
    assert parse_sample(text) == value
    assert str(value) == text


@pytest.mark.parametrize(
    "text", ["", "5", "%", "0%", "101%", "-5%", "5 %", "1e1%", "0/5", "6/5", "\u0665%", "nan%"]
)
def test_what_is_no_sample_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a sample"):
        parse_sample(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("2m", 120), ("1.5h", 5400), ("500ms", 0.5), ("0s", 0)]
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "s", "-1s", "1d", "1 s", "infs"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        parse_duration(text)


@given(st.integers(0, 240), st.floats(0.000001, 100))
def test_a_share_is_never_less_than_it_says_and_never_nothing(number: int, percent: float) -> None:
    chosen = Selection(Share(percent), seed="s").order(IDS[:number])
    assert len(chosen) == math.ceil(number * percent / 100)
    assert len(set(chosen)) == len(chosen)


def test_the_same_seed_looks_at_the_same_blobs_and_another_at_others() -> None:
    one, same, other = (Selection(Share(10), seed=seed).order(IDS) for seed in ("a", "a", "b"))
    assert one == same
    assert set(one) != set(other)
    assert one == Selection(Share(10), seed="a").order(reversed(IDS))


def test_without_a_seed_each_run_looks_elsewhere() -> None:
    assert len({Selection(Share(10)).seed for _ in range(20)}) == 20
    seen: set[ObjectId] = set()
    for _ in range(100):
        seen.update(Selection(Share(10)).order(IDS))
    assert len(seen) == len(IDS)  # no blob is safe: one left out each time has 2.6e-5 of chance


def test_all_parts_together_are_everything() -> None:
    parts = [Selection(Sample(number, 7)).order(IDS) for number in range(1, 8)]
    assert sorted(one for part in parts for one in part) == sorted(IDS)


@pytest.mark.parametrize("seed", ["", "a b", "x" * 65, "$(true)", "\n"])
def test_what_cannot_be_a_seed_is_refused(seed: str) -> None:
    with pytest.raises(UsageError, match="is not a seed"):
        Selection(seed=seed)


# --- what is said ---


def test_a_sample_says_exactly_what_it_did_not_look_at(many: Pipeline) -> None:
    report = verify(many.repo, selection=Selection(Share(5), seed="s"))
    found = report.coverage
    assert report.ok
    assert report.verdict == "verified"
    assert (found.blobs, found.hashed, found.left) == (205, 11, 194)
    assert found.bytes == found.hashed_bytes + found.left_bytes
    whole = verify(many.repo)
    assert found.bytes == whole.coverage.bytes == whole.checked["bytes"]
    assert report.partial == "sampled: 11 of 205 blobs, 5.4%"
    assert report.checked["blobs"] == 11
    assert report.skipped["sample"].startswith("194 of 205 blobs, ")
    assert "'--sample 5% --seed s' takes the same order" in report.skipped["sample"]
    assert report.to_dict()["partial"] == report.partial
    assert not report.passes
    assert whole.partial is None
    assert whole.passes


def test_a_sample_of_everything_is_no_sample(many: Pipeline) -> None:
    report = verify(many.repo, selection=Selection(Share(100)))
    assert report.partial is None
    assert report.passes
    assert "sample" not in report.skipped


def test_damage_is_found_when_it_is_among_what_is_looked_at(many: Pipeline) -> None:
    victim = many.value("files/77")
    ids = verify_order(many)
    at = ids.index(victim)
    many.flip(victim)
    share = Share(100 * (at + 1) / len(ids))
    assert verify(many.repo, selection=Selection(share, seed="s")).category == "corrupt"
    if at:
        less = Share(100 * at / len(ids))
        assert verify(many.repo, selection=Selection(less, seed="s")).ok


def blobs_of(pipeline: Pipeline) -> list[ObjectId]:
    return [one for one in pipeline.repo.objects.ids() if pipeline.repo.objects.kind(one) == "blob"]


def verify_order(pipeline: Pipeline) -> list[ObjectId]:
    return Selection(seed="s").order(blobs_of(pipeline))


def test_the_files_of_the_worktree_are_hashed_whatever_the_sample(many: Pipeline) -> None:
    many.write("model.joblib", "model 2")
    for selection in (Selection(Share(0.1)), Selection(budget=0.0)):
        report = verify(many.repo, selection=selection)
        assert [finding.kind for finding in report.findings] == ["modified"]
        assert report.checked["files"] == 205


@pytest.mark.parametrize("selection", [Selection(Share(1)), Selection(budget=0.0)])
def test_a_blob_that_is_gone_is_missing_though_it_is_not_in_the_sample(
    many: Pipeline, selection: Selection
) -> None:
    victim = many.value("files/77")
    many.remove_object(victim)
    report = verify(many.repo, selection=selection)
    assert report.category == "missing"
    assert report.findings[0].expected == victim


def test_history_is_sampled_too(many: Pipeline) -> None:
    many.write("files/1", "another")
    add_paths(many.repo, ["files/1"])
    many.commit("another")
    few = verify(many.repo, selection=Selection(Share(5)))
    more = verify(many.repo, history=True, selection=Selection(Share(5)))
    assert more.coverage.blobs == few.coverage.blobs + 1


# --- a time ---


class Clock:
    """A clock that goes on by one second at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


def test_no_time_hashes_nothing_and_says_so(many: Pipeline) -> None:
    report = verify(many.repo, selection=Selection(budget=0.0))
    assert report.partial == "sampled: 0 of 205 blobs, 0.0%"
    assert report.coverage.left == 205
    assert not report.passes


def test_enough_time_hashes_everything(many: Pipeline) -> None:
    report = verify(many.repo, selection=Selection(budget=3600))
    assert report.partial is None
    assert report.coverage.hashed == 205


@pytest.mark.parametrize("jobs", [1, 3])
def test_time_that_runs_out_stops_and_counts_the_rest(
    many: Pipeline, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(content, "time", Clock())
    report = verify(many.repo, selection=Selection(budget=101, seed="s"), jobs=jobs)
    found = report.coverage
    assert 20 <= found.hashed <= 60  # two looks at the clock for a small blob
    assert found.hashed + found.left == 205
    assert found.bytes == found.hashed_bytes + found.left_bytes == verify(many.repo).coverage.bytes
    if jobs == 1:
        hashed = set(verify_order(many)[: found.hashed])
        many.flip(verify_order(many)[0])
        monkeypatch.setattr(content, "time", Clock())
        assert verify(many.repo, selection=Selection(budget=101, seed="s"), jobs=1).category == "corrupt"
        assert len(hashed) == found.hashed


def test_a_blob_that_takes_too_long_is_not_called_hashed(
    many: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end was not seen: nothing is known of it."""
    large, blobs = many.value("files/large"), blobs_of(many)
    seed = next(seed for seed in map(str, range(10_000)) if Selection(seed=seed).order(blobs)[0] == large)
    many.flip(large, -1)
    monkeypatch.setattr(content, "time", Clock())
    report = verify(many.repo, selection=Selection(budget=2, seed=seed), jobs=1)
    assert (report.coverage.hashed, report.coverage.left) == (0, 205)
    monkeypatch.setattr(content, "time", Clock())
    report = verify(many.repo, selection=Selection(budget=20, seed=seed), jobs=1)
    assert report.findings[0].expected == large
