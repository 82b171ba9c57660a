from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.errors import ConfigError
from mlstore.hashing import ObjectId
from mlstore.lockfile import Lock, Pin, SignedPolicy, parse_lock, render_lock

ONE, TWO = ObjectId("ab" * 32), ObjectId("cd" * 32)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
PINS = st.builds(
    Pin,
    NAMES,
    st.sampled_from([ONE, TWO]),
    st.none() | st.just(ONE),
    st.integers(0, 2**63 - 1),
    st.dictionaries(NAMES, st.sampled_from([ONE, TWO]), max_size=3),
    st.none() | st.just(TWO),
    st.booleans(),
)
POLICIES = st.builds(SignedPolicy, st.lists(NAMES, max_size=3).map(tuple), st.none() | st.just(ONE))
LOCKS = st.builds(
    Lock,
    st.sampled_from(["blake3", "sha256"]),
    st.lists(PINS, max_size=3, unique_by=lambda pin: pin.name).map(
        lambda pins: {pin.name: pin for pin in pins}
    ),
    st.none() | POLICIES,
)


@given(LOCKS)
def test_every_lock_survives_whatever_its_tags_are_called(lock: Lock) -> None:
    text = render_lock(lock)
    assert parse_lock(text) == lock
    assert render_lock(parse_lock(text)) == text


def test_the_text_is_that_of_the_document() -> None:
    lock = Lock("blake3", {"golden": Pin("golden", ONE, TWO, 4, {"train": TWO, "clean": ONE})})
    assert render_lock(lock).splitlines()[2:] == [
        "version = 1",
        'object-format = "blake3"',
        "",
        "[pins.golden]",
        f'commit = "{ONE}"',
        f'lineage = "{TWO}"',
        "height = 4",
        "",
        "[pins.golden.stages]",
        f'clean = "{ONE}"',
        f'train = "{TWO}"',
    ]


def test_names_that_are_no_bare_keys_are_quoted() -> None:
    text = render_lock(Lock("blake3", {"v1.0/\U0001f389": Pin("v1.0/\U0001f389", ONE, None, 0)}))
    assert '[pins."v1.0/\U0001f389"]' in text
    assert list(tomllib.loads(text)["pins"]) == ["v1.0/\U0001f389"]


def test_pins_are_added_replaced_and_dropped() -> None:
    one, other = Pin("golden", ONE, None, 0), Pin("golden", TWO, None, 1)
    lock = Lock("blake3").with_pin(one).with_pin(Pin("old", ONE, None, 0)).with_pin(other)
    assert lock.pins == {"golden": other, "old": Pin("old", ONE, None, 0)}
    assert lock.without("golden").without("nothing").pins == {"old": Pin("old", ONE, None, 0)}


GOOD = f'version = 1\nobject-format = "blake3"\n[pins.golden]\ncommit = "{ONE}"\nheight = 3\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not toml",
        GOOD.replace("version = 1", "version = 2"),
        GOOD.replace("version = 1", 'version = "1"'),
        GOOD.replace("blake3", "md5"),
        GOOD.replace("[pins.golden]", "[[pins]]"),
        GOOD.replace(ONE, ONE[:-1]),
        GOOD.replace(ONE, ONE.upper()),
        GOOD.replace(f'"{ONE}"', "5"),
        GOOD.replace("height = 3", "height = -1"),
        GOOD.replace("height = 3", "height = 3.0"),
        GOOD.replace("height = 3", "height = true"),
        GOOD.replace("height = 3", ""),
        GOOD + "stages = 5\n",
        GOOD + 'stages = {train = "x"}\n',
        GOOD + "lineage = false\n",
        GOOD + "[pins]\nother = 5\n",
    ],
)
def test_a_damaged_lock_is_a_clear_error_that_names_the_file(text: str) -> None:
    assert parse_lock(GOOD).pins["golden"].height == 3
    with pytest.raises(ConfigError) as caught:
        parse_lock(text)
    assert caught.value.data["file"] == "mlstore.lock"
    assert "mlstore.lock" in caught.value.message


def test_what_has_to_be_signed_stands_before_the_pins() -> None:
    policy = SignedPolicy(("ada@example.org", 'b"ob'), TWO)
    lock = Lock("blake3", {"golden": Pin("golden", ONE, None, 4, {}, signed=True)}, policy)
    assert render_lock(lock).splitlines()[4:] == [
        "",
        "[signatures]",
        "required = true",
        'principals = ["ada@example.org", "b\\"ob"]',
        f'since = "{TWO}"',
        "",
        "[pins.golden]",
        f'commit = "{ONE}"',
        "height = 4",
        "signed = true",
    ]
    assert lock.with_pin(Pin("other", ONE, None, 0)).signatures == policy
    assert lock.without("golden").signatures == policy


@pytest.mark.parametrize(
    "text",
    [
        "signatures = true",
        "[signatures]",
        "[signatures]\nrequired = false",
        '[signatures]\nrequired = "true"',
        '[signatures]\nrequired = true\nprincipals = "ada"',
        "[signatures]\nrequired = true\nprincipals = [1]",
        '[signatures]\nrequired = true\nprincipals = [""]',
        '[signatures]\nrequired = true\nsince = "main"',
    ],
)
def test_a_policy_that_makes_no_sense_does_not_pass_for_none(text: str) -> None:
    with pytest.raises(ConfigError, match="signatures"):
        parse_lock(f'version = 1\nobject-format = "blake3"\n{text}\n')


def test_signed_is_true_or_false() -> None:
    with pytest.raises(ConfigError, match="signed"):
        parse_lock(GOOD + "signed = 1\n")
