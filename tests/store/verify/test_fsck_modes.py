"""`fsck` quick, in parts, interrupted and continued, and shared among workers."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import joblib
import pytest
from tests import stored
from tests.store.objects.building import noise, table
from tests.store.verify.building import EITHER, Pipeline

from mlstore.errors import UsageError
from mlstore.objects import audit as audit_module
from mlstore.objects.audit import Audit
from mlstore.objects.pack import Pack
from mlstore.objects.workers import anywhere
from mlstore.repository import Repository
from mlstore.verify import Sample, fsck
from mlstore.verify import resume as resume_module
from mlstore.verify.resume import STATE_NAME, decode_state, encode_state
from mlstore.worktree import add_paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlstore.objects.pack.span import Span, SpanResult
    from mlstore.verify import FsckReport


@pytest.fixture
def mixed(pipeline: Pipeline) -> Pipeline:
    """The pipeline, and what makes recipes, chunks and large loose files."""
    (pipeline.root / "table.csv").write_bytes(table(3 << 20))
    (pipeline.root / "model.bin").write_bytes(noise(2 << 20))
    for number in range(40):
        (pipeline.root / f"small-{number}").write_bytes(noise(200, number))
    add_paths(pipeline.repo, [""])
    pipeline.commit("more")
    pipeline.repo = Repository.open(pipeline.root)
    time.sleep(0.02)  # what is about to be checked is older than the check, by the file system's clock
    return pipeline


def found(report: FsckReport) -> set[tuple[str, str | None, str]]:
    return {(finding.kind, finding.expected, finding.severity) for finding in report.findings}


# quick


@EITHER
def test_quick_is_fine_with_a_sound_store_and_never_says_that_it_hashed(mixed: Pipeline) -> None:
    report = fsck(mixed.repo, quick=True)
    assert report.ok
    assert report.mode == "quick"
    assert report.to_dict()["hashed"] is False
    assert "xxh3 recognises accidents, not forgery" in report.skipped["hashes"]


def test_quick_finds_a_flipped_bit_in_every_entry_of_every_pack(mixed: Pipeline) -> None:
    for pack in stored.packs(mixed.repo.store):
        for entry in stored.read_pack(pack.read_bytes()):
            with mixed.spoilt():
                stored.Place(pack, entry.offset, len(entry.stored)).flip(-1)
                report = fsck(Repository.open(mixed.root), quick=True)
                assert report.category == "corrupt"
                assert entry.id in {finding.expected for finding in report.findings}


def test_a_forged_entry_with_the_right_checksum_is_found_by_hashing_only(mixed: Pipeline) -> None:
    victim = mixed.value("small-7")
    mixed.replace_object(victim, noise(200, 99))
    quick = fsck(mixed.repo, quick=True)
    assert quick.ok  # it cannot know, and says so
    assert "hashes" in quick.skipped
    assert found(fsck(mixed.repo)) == {("corrupt-object", victim, "error")}


def test_a_forged_chunk_with_the_right_checksum_is_found_by_hashing_only(mixed: Pipeline) -> None:
    chunk, pack = next(
        (entry, pack)
        for pack in stored.packs(mixed.repo.store)
        for entry in stored.read_pack(pack.read_bytes())
        if entry.kind == stored.CHUNK
    )
    entries = stored.read_pack(pack.read_bytes())
    forged = chunk._replace(stored=noise(chunk.size), zstd=False, checksum=b"")
    stored._exchange(pack, [forged if entry.id == chunk.id else entry for entry in entries])
    repo = Repository.open(mixed.root)
    assert fsck(repo, quick=True).ok
    assert {chunk.id, mixed.value("table.csv")} <= {finding.expected for finding in fsck(repo).findings}


def test_quick_finds_a_damaged_index_of_a_pack_and_a_wrong_size(mixed: Pipeline) -> None:
    pack = stored.packs(mixed.repo.store)[0]
    with mixed.spoilt():
        stored.Place(pack, pack.stat().st_size - 100, 1).flip()
        assert fsck(Repository.open(mixed.root), quick=True).category == "corrupt"
    loose = stored.loose_path(mixed.repo.store, mixed.value("model.bin"))
    loose.chmod(0o644)
    loose.write_bytes(loose.read_bytes()[:-1])
    assert fsck(Repository.open(mixed.root), quick=True).category == "corrupt"


def test_quick_notices_a_recipe_whose_part_is_gone(mixed: Pipeline) -> None:
    for pack in stored.packs(mixed.repo.store):
        entries = stored.read_pack(pack.read_bytes())
        gone = next((entry for entry in entries if entry.kind == stored.CHUNK), None)
        if gone is not None:
            stored._exchange(pack, [entry for entry in entries if entry != gone])
            break
    report = fsck(Repository.open(mixed.root), quick=True)
    assert {finding.expected for finding in report.findings} == {mixed.value("table.csv")}


# what the disk refuses


def test_a_recipe_that_the_disk_refuses_is_told_and_the_check_goes_on(
    mixed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, real = stored.find(mixed.repo.store, mixed.value("table.csv")), os.pread
    pack = place.path.stat().st_ino

    def refuse(fd: int, size: int, offset: int) -> bytes:
        if os.fstat(fd).st_ino == pack and offset <= place.offset < offset + size:
            raise OSError(errno.EIO, "Input/output error")
        return real(fd, size, offset)

    monkeypatch.setattr(os, "pread", refuse)
    report = fsck(Repository.open(mixed.root))
    assert {finding.expected for finding in report.findings} == {mixed.value("table.csv")}
    assert "input/output error" in report.findings[0].message


def test_a_loose_file_that_the_disk_refuses_is_told_and_the_check_goes_on(
    mixed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, real = mixed.value("model.bin"), os.open

    def refuse(path: object, *args: int, **more: int) -> int:
        if str(path).endswith(refused[2:]):
            raise OSError(errno.EIO, "Input/output error")
        return real(path, *args, **more)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(os, "open", refuse)
    report = fsck(Repository.open(mixed.root))
    assert {finding.expected for finding in report.findings} == {refused}


# samples


@EITHER
def test_all_parts_together_look_at_everything_and_find_everything(mixed: Pipeline) -> None:
    victims = [mixed.value(path) for path in ("small-3", "table.csv", "model.bin", "data/raw.csv")]
    for victim in victims:
        mixed.flip(victim, -1)
    whole = fsck(mixed.repo)
    parts = [fsck(Repository.open(mixed.root), sample=Sample(number, 5)) for number in range(1, 6)]
    assert {finding.expected for part in parts for finding in part.findings} >= set(victims)
    assert set().union(*map(found, parts)) == found(whole)
    left_out = [part.checked["left_out"] for part in parts]
    total = len(list(mixed.repo.objects.ids())) + whole.checked["chunks"]
    assert sum(total - left for left in left_out) == total
    assert all("other parts than" in part.skipped["sample"] for part in parts)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 256, 65536])
def test_every_id_is_in_exactly_one_part(parts: int) -> None:
    rng = random.Random(parts)
    for object_id in ["0" * 64, "f" * 64, *(rng.randbytes(32).hex() for _ in range(50))]:
        holding = int(object_id[:8], 16) * parts >> 32
        assert Sample(holding + 1, parts).holds(object_id)  # type: ignore[arg-type]
        assert not Sample((holding + 1) % parts + 1, parts).holds(object_id) or parts == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "-1/3", "1/65537", "1/3/5", "a/b", "1/³", "1" * 99])
def test_what_is_no_sample_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Sample.parse(text)


# resuming


class Interrupted(BaseException):
    """What Ctrl-C is to a program."""


def interrupt(repo: Repository, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Begin a check and stop it when so much was looked at."""
    seen = 0

    def tick(path: str, size: int) -> None:
        nonlocal seen
        seen += 1
        if seen > after:
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr("mlstore.objects.pack.span._MOST_ENTRIES", 4)
        with pytest.raises(Interrupted):
            fsck(repo, progress=tick, jobs=1)


@EITHER
@pytest.mark.parametrize("after", [1, 9, 20, 45])
def test_a_resumed_check_reads_the_rest_only_and_finds_the_same(
    mixed: Pipeline, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    victims = [mixed.value(path) for path in ("small-3", "small-21", "data/raw.csv")]
    for victim in victims:
        mixed.flip(victim, -1)
    whole = fsck(mixed.repo)
    time.sleep(0.02)
    interrupt(Repository.open(mixed.root), monkeypatch, after)
    assert (mixed.repo.store / STATE_NAME).exists()
    report = fsck(Repository.open(mixed.root), resume=True)
    assert found(report) == found(whole)
    assert report.checked["resumed"] >= after // 2
    assert "interrupted run" in report.skipped["resumed"]
    assert not (mixed.repo.store / STATE_NAME).exists()


@EITHER
def test_what_was_checked_is_not_read_again(mixed: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(mixed.repo, monkeypatch, 30)
    audit = Audit(mixed.repo.objects)
    audit.prepare()
    resume_module.Saver(mixed.repo, audit).load()
    audit.plan()
    total = len(list(mixed.repo.objects.ids())) + audit.chunks
    assert audit.done_before > 0
    assert audit.looked_at + audit.done_before == total


@EITHER
def test_a_change_of_the_file_makes_it_be_read_again(
    mixed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(mixed.repo, monkeypatch, 45)
    for path in (mixed.repo.store / "objects").rglob("*"):
        if path.is_file():
            os.utime(path)
    report = fsck(Repository.open(mixed.root), resume=True)
    assert "resumed" not in report.checked


@EITHER
def test_damage_after_the_interruption_is_found(mixed: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(mixed.repo, monkeypatch, 45)
    victim = mixed.value("small-5")
    mixed.flip(victim)
    assert found(fsck(mixed.repo, resume=True)) == {("corrupt-object", victim, "error")}


def test_damage_that_was_found_is_kept_though_it_now_reads_right(
    mixed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that reads wrong once and right the next time is not to be trusted."""
    victim = mixed.value("model.bin")
    path = stored.loose_path(mixed.repo.store, victim)
    flaw = audit_module.Flaw(victim, None, 0, "its bytes hash to 'x'", "x" * 64)
    audit = Audit(mixed.repo.objects)
    audit.prepare()
    audit.flaws[None, victim] = flaw
    resume_module.Saver(mixed.repo, audit).save()
    assert found(fsck(mixed.repo, resume=True)) == {("corrupt-object", victim, "error")}
    resume_module.Saver(mixed.repo, audit).save()
    os.utime(path)  # somebody put it back
    assert fsck(mixed.repo, resume=True).ok


def test_a_quick_run_counts_for_nothing_where_hashing_is_asked_for(
    mixed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = mixed.value("small-7")
    mixed.replace_object(victim, noise(200, 99))
    time.sleep(0.02)
    audit = Audit(mixed.repo.objects, quick=True)
    audit.prepare()
    audit.plan()
    audit.run()
    resume_module.Saver(mixed.repo, audit).save()
    assert fsck(mixed.repo, resume=True, quick=True).checked["resumed"] > 0
    resume_module.Saver(mixed.repo, audit).save()
    assert found(fsck(mixed.repo, resume=True)) == {("corrupt-object", victim, "error")}


def test_a_recipe_is_checked_again_when_a_pack_came_or_went(
    mixed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = Audit(mixed.repo.objects)
    audit.prepare()
    audit.plan()
    audit.run()
    resume_module.Saver(mixed.repo, audit).save()
    with mixed.repo.objects.transaction() as writer:
        writer.add_bytes(b"another pack")
    again = Audit(Repository.open(mixed.root).objects)
    again.prepare()
    resume_module.Saver(mixed.repo, again).load()
    again.plan()
    assert again.looked_at == 2  # the new object, and the table's recipe


@pytest.mark.parametrize("at", [0, 20, -70, -1])
def test_a_damaged_state_means_to_start_over(
    mixed: Pipeline, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    interrupt(mixed.repo, monkeypatch, 45)
    path = mixed.repo.store / STATE_NAME
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    report = fsck(Repository.open(mixed.root), resume=True)
    assert report.ok
    assert "resumed" not in report.checked


@pytest.mark.parametrize(
    "change",
    [
        {"packs": 7},
        {"packs": {"x": {"stamp": "", "done": "ff"}}},
        {"loose": "abc"},
        {"flaws": [[1, 2]]},
        {"flaws": [["", "zz", None, 0, "why", None]]},
        {"store": None},
        {"quick": True},
    ],
)
def test_a_state_that_makes_no_sense_is_no_failure(
    mixed: Pipeline, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    interrupt(mixed.repo, monkeypatch, 20)
    path = mixed.repo.store / STATE_NAME
    state = decode_state(path.read_bytes())
    assert state is not None
    path.write_bytes(encode_state(state | change))
    assert fsck(Repository.open(mixed.root), resume=True).ok


def test_the_state_on_disk_is_as_documented(mixed: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(mixed.repo, monkeypatch, 20)
    first, body, checksum, rest = (mixed.repo.store / STATE_NAME).read_bytes().split(b"\n")
    assert (first, rest, len(checksum)) == (b"mlstore fsck 1", b"", 32)
    assert json.loads(body).keys() == {"flaws", "loose", "packs", "quick", "store"}


def test_a_killed_check_goes_on_where_it_was(mixed: Pipeline) -> None:
    """By SIGKILL, which nothing can answer to: what was saved on the way is what counts."""
    code = (
        "import sys, time; from pathlib import Path; from mlstore.repository import Repository;"
        "from mlstore.verify import fsck, resume; import mlstore.objects.pack.span as span;"
        "resume._FIRST = resume._SHARE = 0; span._MOST_ENTRIES = 4;"
        "fsck(Repository.open(Path(sys.argv[1])), jobs=1,"
        " progress=lambda path, size: (print('x', flush=True), time.sleep(0.01)))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(mixed.root)], stdout=subprocess.PIPE, env=dict(os.environ)
    )
    assert process.stdout is not None
    for _ in range(random.Random(str(mixed.root)).randrange(12, 30)):
        assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    report = fsck(Repository.open(mixed.root), resume=True)
    assert report.ok
    assert report.checked["resumed"] > 0


def test_a_short_check_leaves_nothing_behind(mixed: Pipeline) -> None:
    before = sorted(mixed.repo.store.iterdir())
    fsck(mixed.repo)
    assert sorted(mixed.repo.store.iterdir()) == before


# workers


@EITHER
@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_any_number_of_jobs_finds_the_same(mixed: Pipeline, jobs: int) -> None:
    victims = {mixed.value(path) for path in ("small-3", "table.csv", "model.bin")}
    for victim in victims:
        mixed.flip(victim, -1)
    report = fsck(Repository.open(mixed.root), jobs=jobs)
    assert victims <= {finding.expected for finding in report.findings}


@pytest.mark.parametrize("backend", ["threading", "multiprocessing", "sequential"])
def test_a_joblib_backend_of_the_caller_is_used(
    mixed: Pipeline, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    used: list[int] = []
    original = audit_module.anywhere

    def spy(work: object, items: object, jobs: object) -> object:
        used.append(1)
        return original(work, items, jobs)  # type: ignore[arg-type]

    monkeypatch.setattr(audit_module, "anywhere", spy)
    monkeypatch.setattr("mlstore.objects.pack.span.SMALL_ENTRY", 100)
    monkeypatch.setattr("mlstore.objects.pack.span._MOST_ENTRIES", 4)
    victim = mixed.value("small-3")
    mixed.flip(victim)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        report = fsck(mixed.repo)
    assert used
    assert found(report) == {("corrupt-object", victim, "error")}


def worker(_: int) -> int:
    """Where a task is done."""
    return os.getpid()


def test_work_goes_where_joblib_was_told_to_do_it() -> None:
    assert set(anywhere(worker, range(8), 2)) == {os.getpid()}
    with joblib.parallel_config(backend="multiprocessing", n_jobs=2):
        assert os.getpid() not in set(anywhere(worker, range(8), None))
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert set(anywhere(worker, range(8), None)) == {os.getpid()}


def test_joblib_is_not_imported_for_it(mixed: Pipeline) -> None:
    code = (
        "import sys; from pathlib import Path; from mlstore.repository import Repository;"
        "from mlstore.verify import fsck; assert fsck(Repository.open(Path(sys.argv[1]))).ok;"
        "sys.exit('joblib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(mixed.root)], check=False).returncode == 0


def test_quick_tells_a_part_that_is_missing_from_one_that_is_too_short(mixed: Pipeline) -> None:
    for pack in stored.packs(mixed.repo.store):
        entries = stored.read_pack(pack.read_bytes())
        chunk = next((entry for entry in entries if entry.kind == stored.CHUNK), None)
        if chunk is not None:
            break
    else:
        raise AssertionError("no chunk")
    short = chunk._replace(stored=chunk.content()[:-1], size=chunk.size - 1, zstd=False, checksum=b"")
    for others, told in (([], "is missing"), ([short], "is too short")):
        with mixed.spoilt():
            stored._exchange(pack, [*(entry for entry in entries if entry != chunk), *others])
            report = fsck(Repository.open(mixed.root), quick=True)
            assert told in report.findings[0].message


# in two processes


@pytest.fixture
def in_two(monkeypatch: pytest.MonkeyPatch) -> list[bytes | None]:
    """Check packs of small entries in two processes, however few there are; lists what children answered."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    answers: list[bytes | None] = []
    real = audit_module.beside

    def noted(theirs: Callable[[], bytes], ours: Callable[[], None]) -> bytes | None:
        answers.append(real(theirs, ours))
        return answers[-1]

    monkeypatch.setattr(audit_module, "beside", noted)
    monkeypatch.setattr(audit_module, "FORK_FROM", 1)
    monkeypatch.setattr(audit_module, "may_fork", lambda: True)
    monkeypatch.setattr(Pack, "is_of_small", True)
    return answers


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
class TestInTwo:
    def test_everything_is_looked_at_once(self, mixed: Pipeline, in_two: list[bytes | None]) -> None:
        report, alone = fsck(mixed.repo), fsck(Repository.open(mixed.root), jobs=1)
        assert report.ok
        assert len(in_two) == 1
        assert in_two[0]
        assert report.checked == alone.checked
        assert report.checked["bytes"] > 0

    def test_every_damaged_entry_is_found_in_either_half(
        self, mixed: Pipeline, in_two: list[bytes | None]
    ) -> None:
        for pack in stored.packs(mixed.repo.store):
            for entry in stored.read_pack(pack.read_bytes())[::3]:
                with mixed.spoilt():
                    stored.Place(pack, entry.offset, len(entry.stored)).flip(-1)
                    one, other = fsck(Repository.open(mixed.root)), fsck(Repository.open(mixed.root), jobs=1)
                    assert one.category == "corrupt"
                    assert found(one) == found(other)
        assert all(in_two)

    def test_what_the_child_could_not_do_is_done_here(
        self, mixed: Pipeline, in_two: list[bytes | None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parent, real = os.getpid(), audit_module.check_span

        def die_in_child(span: Span) -> SpanResult:
            if os.getpid() != parent:
                raise MemoryError
            return real(span)

        monkeypatch.setattr(audit_module, "check_span", die_in_child)
        report = fsck(mixed.repo)
        assert in_two == [None]
        assert report.ok
        assert report.checked == fsck(Repository.open(mixed.root), jobs=1).checked

    def test_one_job_is_one_process(self, mixed: Pipeline, in_two: list[bytes | None]) -> None:
        assert fsck(mixed.repo, jobs=1).ok
        assert in_two == []
