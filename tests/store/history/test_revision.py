from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.store.support import ADA, MOMENT, Work, fast_repository

from mlstore.errors import InvalidRevision, ObjectNotFound, PathNotFound, RefNotFound
from mlstore.hashing import ObjectId
from mlstore.history import (
    Range,
    abbreviate,
    create_branch,
    create_tag,
    describe_refs,
    parse_range,
    resolve,
    resolve_commit,
)
from mlstore.model import Tag

if TYPE_CHECKING:
    from pathlib import Path

    from mlstore.repository import Repository


@pytest.fixture(scope="module")
def merged(memory: Path) -> Work:
    """::

    a - b - c - m   main      (m is a merge: first parent c, second e)
         \\     /
          d - e     side
    """
    work = Work(fast_repository(memory / "merged"))
    work.commit("a", f="1")
    work.commit("b", f="2")
    work.branch("side")
    work.commit("d", side="1")
    work.commit("e", side="2")
    work.switch("main")
    work.commit("c", f="3")
    merge(work, "m", "c", "e")
    create_tag(work.repo, "v1", work.commits["b"], message="annotated", tagger=ADA, time=MOMENT)
    create_tag(work.repo, "light", work.commits["c"], message=None, tagger=ADA, time=MOMENT)
    inner = work.repo.refs.read("refs/tags/v1")
    assert inner is not None
    create_tag(work.repo, "outer", inner, message="a tag of a tag", tagger=ADA, time=MOMENT)
    tree = work.repo.objects.read_commit(work.commits["a"]).tree
    create_tag(work.repo, "a-tree", tree, message=None, tagger=ADA, time=MOMENT)
    return work


def merge(work: Work, name: str, *parents: str) -> None:
    """Commit HEAD's tree with these parents, by hand: nothing merges yet."""
    head = work.repo.objects.read_commit(work.head)
    ids = tuple(work.commits[parent] for parent in parents)
    height = 1 + max(work.repo.objects.read_commit(parent).height for parent in ids)
    with work.repo.objects.transaction() as store:
        made = store.add_commit(replace(head, parents=ids, height=height, message=name, time=work.now()))
    work.repo.refs.update("refs/heads/main", made, old=work.head)
    work.commits[name] = made


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("HEAD", "m"),
        ("@", "m"),
        ("main", "m"),
        ("refs/heads/main", "m"),
        ("side", "e"),
        ("light", "c"),
        ("refs/tags/light", "c"),
        ("HEAD^", "c"),
        ("HEAD^1", "c"),
        ("HEAD^2", "e"),
        ("HEAD^0", "m"),
        ("HEAD~", "c"),
        ("HEAD~0", "m"),
        ("HEAD~1", "c"),
        ("HEAD~2", "b"),
        ("HEAD~3", "a"),
        ("HEAD^^", "b"),
        ("HEAD~~", "b"),
        ("HEAD^2^", "d"),
        ("HEAD^2~2", "b"),
        ("HEAD~1^1~1", "a"),
        ("@~1", "c"),
        ("@^2", "e"),
        ("v1", "b"),
        ("v1^{}", "b"),
        ("v1^{commit}", "b"),
        ("outer", "b"),
        ("outer^{commit}~1", "a"),
        ("v1~1", "a"),
        ("HEAD^{commit}^2", "e"),
    ],
)
def test_revisions_mean_what_they_mean_in_git(merged: Work, text: str, name: str) -> None:
    assert resolve_commit(merged.repo, text) == merged.commits[name]


def test_ids_and_unique_prefixes_name_their_object(merged: Work) -> None:
    for name, commit in merged.commits.items():
        assert resolve(merged.repo, commit).id == commit, name
        assert resolve(merged.repo, commit[:20]).id == commit
        assert resolve(merged.repo, abbreviate(merged.repo, commit)).id == commit
        assert resolve_commit(merged.repo, commit[:12] + "^{}") == commit


def test_what_a_tag_and_a_tree_are_is_told(merged: Work) -> None:
    repo = merged.repo
    assert resolve(repo, "v1").kind == resolve(repo, "outer").kind == "tag"
    assert resolve(repo, "v1^{tag}").id == repo.refs.read("refs/tags/v1")
    assert resolve(repo, "HEAD").kind == "commit"
    tree = repo.objects.read_commit(merged.commits["b"]).tree
    assert (
        resolve(repo, "v1^{tree}").id
        == resolve(repo, "HEAD~2^{tree}").id
        == resolve(repo, "HEAD~2:").id
        == tree
    )
    assert resolve(repo, "a-tree").kind == resolve(repo, "a-tree^{}").kind == "tree"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("HEAD:f", b"3"),
        ("HEAD~2:f", b"2"),
        ("v1:f", b"2"),
        ("HEAD^2:side", b"2"),
        ("side:./side", b"2"),
        (":f", b"3"),
    ],
)
def test_a_path_at_a_revision_is_its_blob(merged: Work, text: str, content: bytes) -> None:
    found = resolve(merged.repo, text)
    assert (found.kind, merged.repo.objects.read(found.id)) == ("blob", content)
    assert found.path == text.rpartition(":")[2].removeprefix("./")


@pytest.mark.parametrize("text", ["HEAD:nothing", "HEAD:f/below", ":nothing", "side~1:../f"])
def test_a_path_that_is_not_there_is_an_error(merged: Work, text: str) -> None:
    with pytest.raises(PathNotFound):
        resolve(merged.repo, text)


def test_a_path_is_no_commit(merged: Work) -> None:
    with pytest.raises(InvalidRevision, match="a path, not a commit"):
        resolve_commit(merged.repo, "HEAD:f")


@pytest.mark.parametrize(
    "text",
    [
        "nothing",
        "HEAD~4",
        "HEAD^3",
        "HEAD^2^2",
        "main@{5}",
        "@{5}",
        "HEAD~999999999",
        "refs/heads/nothing",
        "refs/heads/../../config",
        "../HEAD",
        "main.lock",
        "0000",
        "zzzz",
        "ABCDEF0123",
        "",
    ],
)
def test_what_does_not_exist_is_an_error(merged: Work, text: str) -> None:
    with pytest.raises(RefNotFound if text else InvalidRevision):
        resolve(merged.repo, text)


@pytest.mark.parametrize(
    "text",
    [
        "HEAD~x",
        "HEAD^x",
        "HEAD^{",
        "HEAD^{nothing}",
        "HEAD^{/fix}",
        "HEAD@{yesterday}",
        "HEAD@{u}",
        "HEAD@{",
        "HEAD~1@{0}",
        "~1",
        "^",
        "^2",
        "HEAD~-1",
        "HEAD~1 ",
        "HEAD ~1",
        "HEAD~\u0661",
        "HEAD~" + "9" * 5000,
        "HEAD^" + "9" * 5000,
        "HEAD@{" + "9" * 5000 + "}",
        "HEAD^{blob}",
        "light^{tag}",
        "a-tree~1",
        "a-tree^{commit}",
    ],
)
def test_what_cannot_be_read_or_cannot_be_is_an_error(merged: Work, text: str) -> None:
    with pytest.raises((InvalidRevision, RefNotFound)) as caught:
        resolve(merged.repo, text)
    assert len(caught.value.message) < 20_000


def test_a_misspelt_name_is_guessed(merged: Work) -> None:
    with pytest.raises(RefNotFound) as caught:
        resolve(merged.repo, "mian")
    assert caught.value.hint == "did you mean 'main'?"
    assert caught.value.data["suggestions"] == ["main"]


def test_an_id_that_is_nowhere_is_a_missing_object(merged: Work) -> None:
    with pytest.raises(ObjectNotFound):
        resolve(merged.repo, "0" * 64)


def test_before_the_first_commit_there_is_no_head(work: Work) -> None:
    for text in ("HEAD", "@", "HEAD~1", "@{0}", "main"):
        with pytest.raises(RefNotFound):
            resolve(work.repo, text)


def test_a_tag_comes_before_a_branch_of_its_name(work: Work) -> None:
    first = work.commit("first", f="1")
    second = work.commit("second", f="2")
    create_branch(work.repo, "same", who=ADA, time=MOMENT)
    create_tag(work.repo, "same", first, message=None, tagger=ADA, time=MOMENT)
    assert resolve(work.repo, "same").id == first
    assert resolve(work.repo, "refs/heads/same").id == second


def test_a_whole_id_is_that_object_whatever_a_tag_is_called(work: Work) -> None:
    """Or whoever makes a tag could take the place of the id that somebody pinned."""
    first = work.commit("first", f="1")
    second = work.commit("second", f="2")
    create_tag(work.repo, first, second, message=None, tagger=ADA, time=MOMENT)
    create_branch(work.repo, first, second, who=ADA, time=MOMENT)
    assert resolve(work.repo, first).id == first


def ambiguous(repo: Repository, count: int) -> list[ObjectId]:
    """Blobs of which at least two begin with the same four digits."""
    with repo.objects.transaction() as store:
        return [store.add_bytes(b"%d" % number) for number in range(count)]


def test_an_ambiguous_prefix_is_refused_and_more_of_it_helps(work: Work) -> None:
    seen: dict[str, ObjectId] = {}
    for object_id in ambiguous(work.repo, 1200):
        other = seen.setdefault(object_id[:4], object_id)
        if other != object_id:
            break
    else:
        pytest.fail("no two of the objects share four digits")
    with pytest.raises(InvalidRevision, match="ambiguous"):
        resolve(work.repo, object_id[:4])
    assert resolve(work.repo, object_id[:16]).id == object_id
    short = abbreviate(work.repo, object_id, 4)
    assert len(short) > 4
    assert work.repo.objects.with_prefix(short) == [object_id]


def test_where_a_prefix_is_ambiguous_the_only_commit_is_meant(
    merged: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = merged.commits["a"]
    tree = merged.repo.objects.read_commit(commit).tree
    monkeypatch.setattr(merged.repo.objects, "with_prefix", lambda _prefix: [commit, tree])
    assert resolve(merged.repo, "abcd").id == commit
    monkeypatch.setattr(merged.repo.objects, "with_prefix", lambda _prefix: [commit, merged.commits["b"]])
    with pytest.raises(InvalidRevision, match="ambiguous"):
        resolve(merged.repo, "abcd")


def test_fewer_than_four_digits_are_no_prefix(merged: Work) -> None:
    with pytest.raises(RefNotFound):
        resolve(merged.repo, merged.commits["a"][:3])


# --- the reflog ---


def test_earlier_places_of_head_and_of_a_branch(work: Work) -> None:
    one, two, three = (work.commit(name, f=name) for name in ("one", "two", "three"))
    work.branch("side")
    four = work.commit("four", f="four")
    work.switch("main")
    assert [resolve(work.repo, f"main@{{{n}}}").id for n in range(3)] == [three, two, one]
    assert [resolve(work.repo, f"HEAD@{{{n}}}").id for n in range(4)] == [three, four, three, three]
    assert [resolve(work.repo, f"@{{{n}}}").id for n in range(3)] == [three, two, one], "that of the branch"
    assert resolve(work.repo, "HEAD@{1}~1").id == three
    assert resolve(work.repo, "side@{0}").id == four
    with pytest.raises(RefNotFound, match="the reflog is shorter"):
        resolve(work.repo, "main@{3}")
    work.switch(two, detach=True)
    assert resolve(work.repo, "@{0}").id == two


def test_a_move_that_was_logged_and_never_happened_is_passed_over(work: Work) -> None:
    one, two = work.commit("one", f="1"), work.commit("two", f="2")
    from mlstore.refs import ReflogEntry
    from mlstore.refs.reflog import append_entry

    phantom = ReflogEntry(two, ObjectId("0" * 64), MOMENT, "Ada <a@b>", "commit: killed in between")
    append_entry(work.repo.store / "logs" / "refs" / "heads" / "main", phantom)
    assert [resolve(work.repo, f"main@{{{n}}}").id for n in range(2)] == [two, one]


def test_the_branch_before_this_one(work: Work) -> None:
    one = work.commit("one", f="1")
    work.branch("side/ü")
    two = work.commit("two", f="2")
    work.branch("third")
    for text in ("-", "@{-1}"):
        assert resolve(work.repo, text).id == two
    work.switch("main")
    assert resolve(work.repo, "@{-2}").id == two
    create_tag(work.repo, "third", one, message=None, tagger=ADA, time=MOMENT)
    assert resolve(work.repo, "@{-1}").id == two, "the branch that was left, not a tag of its name"
    for text in ("@{-9}",):
        with pytest.raises(RefNotFound, match="no branch before"):
            resolve(work.repo, text)


def test_a_branch_whose_name_holds_a_wide_space_can_be_gone_back_to(work: Work) -> None:
    work.commit("one", f="1")
    work.branch("wide\u3000space")
    work.branch("other")
    assert work.switch("-").head.branch == "wide\u3000space"


def test_a_name_without_a_log_has_no_earlier_places(merged: Work) -> None:
    with pytest.raises(InvalidRevision, match="only a branch or HEAD has a reflog"):
        resolve(merged.repo, merged.commits["a"] + "@{0}")


# --- ranges ---


@pytest.mark.parametrize(
    ("words", "include", "exclude"),
    [
        (["HEAD"], "m", ""),
        (["main", "side"], "me", ""),
        (["side..main"], "m", "e"),
        (["side.."], "m", "e"),
        (["..side"], "e", "m"),
        ([".."], "m", "m"),
        (["^side", "main"], "m", "e"),
        (["HEAD~1...side"], "ce", "b"),
        (["main...side"], "me", "e"),
        (["v1..light"], "c", "b"),
        (["main", "main"], "m", ""),
    ],
)
def test_ranges(merged: Work, words: list[str], include: str, exclude: str) -> None:
    commits = merged.commits
    assert parse_range(merged.repo, words) == Range(
        tuple(commits[name] for name in include), tuple(commits[name] for name in exclude)
    )


def test_a_range_of_what_does_not_exist_is_an_error(merged: Work) -> None:
    for words in (["nothing..main"], ["main..nothing"], ["^nothing"], ["main...nothing"]):
        with pytest.raises(RefNotFound):
            parse_range(merged.repo, words)


# --- names of commits ---


def test_refs_are_described_by_the_commit_they_lead_to(merged: Work) -> None:
    found = describe_refs(merged.repo)
    assert found[merged.commits["b"]] == ["refs/tags/outer", "refs/tags/v1"]
    assert found[merged.commits["m"]] == ["refs/heads/main"]


def test_an_endless_chain_of_tags_is_an_error(tmp_path: Path) -> None:
    work = Work(fast_repository(tmp_path / "work"))
    target = work.commit("a", f="1")
    kind = "commit"
    for number in range(40):
        with work.repo.objects.transaction() as store:
            target = store.add_tag(Tag(f"t{number}", target, kind, ADA, MOMENT, "m"))
        kind = "tag"
    with pytest.raises(InvalidRevision, match="chain of tags without end"):
        resolve_commit(work.repo, target)
