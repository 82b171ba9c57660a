from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.errors import InvalidPath
from mlstore.model import collision_key, parents_of, validate_component, validate_path
from mlstore.model.paths import MAX_PATH, Collisions, doubt_about, validate_paths

PATHS = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a.b",
        "data/raw.csv",
        ".hidden",
        ".mlstoreignore",
        ".gitignore",
        ".github/x",
        "mlstore.toml",
        "a b",
        "ünï/日本語/🎉",
        "e\u0301",
        "git",
        "mlstore",
        "git~",
        "gist~1",
        "-rf",
        "~",
        "#a#",
        "x" * 255,
        "é" * 127,
        "/".join(["x" * 200] * 20),
        "a'b\"c`d$e",
        "aux",  # a device name on Windows: verify warns, nobody refuses
        "trailing.",
    ],
)
def test_an_ordinary_path_is_given_back(path: str) -> None:
    assert validate_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "a/",
        "a//b",
        "./a",
        "a/./b",
        "../a",
        "a/../b",
        "a/..",
        "a\\b",
        "..\\a",
        "C:\\a",
        "C:/a",
        "a:stream",
        ".mlstore/config",
        "a/.mlstore/config",
        "a/.MlStore",
        ".git/hooks/pre-commit",
        "sub/.GIT/config",
        "sub/.g\u200dit/config",
        "\u202e.mlstore",
        "GIT~1/config",
        "a/MLSTOR~1/x",
        ".git. /x",
        ".mlstore .",
        "a\0",
        "a\nb",
        "a\tb",
        "a\x7f",
        "a\x85b",
        "\x1b]0;title\x07",
        "\udcff",
        "a/\ud800",
        "x" * 256,
        "日" * 86,
        "/".join(["x" * 200] * 21),
    ],
)
def test_a_hostile_path_is_refused_by_name(path: str) -> None:
    with pytest.raises(InvalidPath) as caught:
        validate_path(path)
    assert caught.value.data["path"] == path
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 600


@pytest.mark.parametrize("char", ["x", "é"])
def test_a_path_may_be_as_long_as_the_limit_and_no_longer(char: str) -> None:
    folders = (char * 100 + "/") * (MAX_PATH // len((char * 100 + "/").encode()))
    rest = MAX_PATH - len(folders.encode())
    assert validate_path(folders + "x" * rest).endswith("x")
    with pytest.raises(InvalidPath, match="longer than 4096 bytes"):
        validate_path(folders + "x" * (rest + 1))


@pytest.mark.parametrize("name", ["aux", "NUL.txt", "com1", "LPT²", "conin$", "prn .x"])
def test_a_device_of_windows_is_told(name: str) -> None:
    assert doubt_about(name) == "Windows takes it for a device"


@pytest.mark.parametrize("name", ["a\u200bb", "\u202etxt", "é\u00ad"])
def test_a_name_that_deceives_the_eye_is_told(name: str) -> None:
    assert "invisible" in (doubt_about(name) or "")


@pytest.mark.parametrize("name", ["auxiliary", "data.csv", "com", "été", "日本", "x.aux", "nul1"])
def test_nothing_is_said_of_an_ordinary_name(name: str) -> None:
    assert doubt_about(name) is None


@given(PATHS)
def test_what_is_accepted_stays_inside_and_is_plain_utf8(path: str) -> None:
    try:
        validate_path(path)
    except InvalidPath:
        return
    encoded = path.encode("utf-8")
    parts = path.split("/")
    assert not path.startswith("/")
    assert not {"", ".", "..", ".git", ".mlstore"} & {part.casefold() for part in parts}
    assert all(len(part.encode()) <= 255 for part in parts)
    assert not any(unicodedata.category(char) == "Cc" for char in path)
    assert b"\\" not in encoded
    assert b":" not in encoded


@given(st.text(min_size=1, max_size=8))
def test_a_component_is_allowed_exactly_when_it_is_as_a_path(name: str) -> None:
    def allowed(check: object, text: str) -> bool:
        try:
            check(text)  # type: ignore[operator]
        except InvalidPath:
            return False
        return True

    assert allowed(validate_component, name) == (allowed(validate_path, name) and "/" not in name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("README", "readme"),
        ("a/B", "A/b"),
        ("é", "e\u0301"),
        ("É", "e\u0301"),
        ("straße", "STRASSE"),
        ("\u212a", "k"),  # KELVIN SIGN
        ("\u1e9e", "ss"),
        ("ﬁ", "FI"),
    ],
)
def test_names_that_are_one_on_some_file_systems_collide(one: str, other: str) -> None:
    assert collision_key(one) == collision_key(other)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("a/b", "a-b"), ("é", "e"), ("a", "a ")])
def test_different_names_do_not_collide(one: str, other: str) -> None:
    assert collision_key(one) != collision_key(other)


@given(st.text(max_size=12))
def test_folding_twice_changes_nothing(path: str) -> None:
    assert collision_key(collision_key(path)) == collision_key(path)


def test_parents_are_given_nearest_first() -> None:
    assert parents_of("a/b/c.csv") == ["a/b", "a"]
    assert parents_of("a") == []


@pytest.mark.parametrize("bad", ["d/.git", "d/a:b", "d/" + "a" * 256, "../x", "d//x"])
def test_a_bad_name_is_refused_beside_others_of_a_folder_that_is_known_to_be_sound(bad: str) -> None:
    validate_paths(["d/x", "d/a", "d/.x", "d/y.csv", "top"])
    with pytest.raises(InvalidPath):
        validate_paths(["d/x", "d/.x", bad])


@pytest.mark.parametrize(
    "paths", [("README", "readme"), ("Data/a", "data/b"), ("a/B/c", "a/b/d"), ("x/y", "X"), ("é", "e\u0301")]
)
def test_two_names_that_are_one_elsewhere_are_refused_in_any_order(paths: tuple[str, str]) -> None:
    for one, other in (paths, paths[::-1]):
        seen = Collisions()
        seen.add(one)
        with pytest.raises(InvalidPath, match="are one name"):
            seen.add(other)


def test_names_that_differ_do_not_get_into_each_others_way() -> None:
    seen = Collisions()
    for path in ("a/b/c", "a/b/d", "a/b/c", "a/e", "b", "a-b"):
        seen.add(path)
