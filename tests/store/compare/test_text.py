from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.compare.text import Hunk, count_lines, is_binary, text_hunks

TEXTS = st.lists(st.sampled_from([b"a", b"b", b"c", b"\r", b"", b"long line"]), max_size=30).map(b"\n".join)


def apply(old: bytes, hunks: list[Hunk]) -> bytes:
    """Apply the hunks by their numbers alone, and check everything that they say about the old text."""
    lines = [line + b"\n" for line in old.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    lines = [line for line in lines if line]
    result: list[bytes] = []
    at = 0
    for hunk in hunks:
        start = hunk.old_start - (hunk.old_count > 0)
        result += lines[at:start]
        assert len(result) == hunk.new_start - (hunk.new_count > 0)
        before = [line for sign, line in hunk.lines if sign in " -"]
        after = [line for sign, line in hunk.lines if sign in " +"]
        assert lines[start : start + hunk.old_count] == before
        assert len(after) == hunk.new_count
        result += after
        at = start + hunk.old_count
    return b"".join(result + lines[at:])


@given(TEXTS, TEXTS, st.integers(0, 4))
def test_hunks_turn_the_old_text_into_the_new(old, new, context):
    hunks = text_hunks(old, new, context)
    assert apply(old, hunks) == new
    assert (hunks == []) == (old == new)


@given(TEXTS, TEXTS)
def test_counts_agree_with_the_hunks(old, new):
    signs = [sign for hunk in text_hunks(old, new) for sign, _ in hunk.lines]
    assert count_lines(old, new) == (signs.count("+"), signs.count("-"))


def test_a_carriage_return_is_no_line_end():
    (hunk,) = text_hunks(b"a\rb\nc", b"a\rB\nc")
    assert hunk.lines == [("-", b"a\rb\n"), ("+", b"a\rB\n"), (" ", b"c")]


def test_moved_context_is_matched_by_unique_lines():
    old = b"".join(b"%d\n" % number for number in range(100))
    new = b"new\n" + old.replace(b"50\n", b"fifty\n")
    assert count_lines(old, new) == (2, 1)


LARGE = {
    "every other row changes": (
        b"".join(b"%d\n" % n for n in range(100_000)),
        b"".join(b"%d\n" % (n if n % 2 else n + 1_000_000) for n in range(100_000)),
    ),
    "one row a hundred thousand times": (b"0\n" * 100_000, b"x\n" + b"0\n1\n" * 60_000 + b"y\n"),
    "reversed": (
        b"".join(b"%d\n" % n for n in range(100_000)),
        b"".join(b"%d\n" % n for n in reversed(range(100_000))),
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_texts_are_compared_in_bounded_time(name):
    old, new = LARGE[name]
    assert apply(old, text_hunks(old, new)) == new


def test_hunks_are_those_that_git_prints(tmp_path):
    old = b"".join(b"line %d\n" % n for n in range(40))
    new = (
        old.replace(b"line 3\n", b"three\n")
        .replace(b"line 30\n", b"")
        .replace(b"line 12\n", b"line 12\nmore\n")
    )
    (tmp_path / "a").write_bytes(old)
    (tmp_path / "b").write_bytes(new)
    command = ["git", "diff", "--no-index", "--no-color", "a", "b"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).stdout
    ours = []
    for hunk in text_hunks(old, new):
        ours.append(b"@@ -%d,%d +%d,%d @@" % (hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count))
        ours += [sign.encode() + line.rstrip(b"\n") for sign, line in hunk.lines]
    theirs = printed.splitlines()[4:]
    assert [line[: line.rindex(b"@@") + 2] if line.startswith(b"@@") else line for line in theirs] == ours


def test_a_zero_byte_makes_it_binary():
    assert is_binary(b"a\0b")
    assert not is_binary(b"a" * 8000 + b"\0")


def test_a_short_text_with_a_line_that_moved_is_aligned() -> None:
    lines = [b"%d\n" % n for n in range(30)]
    assert count_lines(b"".join(lines), b"".join([*lines[1:], lines[0]])) == (1, 1)
