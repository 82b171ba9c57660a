"""Signing as a library: who judges, what is asked of ssh-keygen, and what a signature says of itself."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.keys import Keys, needs_keygen

import mlstore
from mlstore.errors import CannotRun, ConfigError, NotVerified
from mlstore.hashing import ObjectId
from mlstore.history import create_tag, record_commit
from mlstore.lockfile import Lock, SignedPolicy, render_lock
from mlstore.model import Person
from mlstore.repository import Repository
from mlstore.signing import Keygen, Signer, Trust, Verifier, find_keygen, is_signed_good
from mlstore.signing import keygen as keygen_module
from mlstore.signing.sshsig import BEGIN, END, PublicKey, public_key
from mlstore.signing.trust import without_bounds
from mlstore.verify import Requirement
from mlstore.verify.signatures import requirements
from mlstore.worktree import add_paths

ADA = Person("Ada", "ada@example.org")
TIME = "2026-01-16T15:24:48Z"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    keys = Keys(tmp_path / "keys")
    keys.make("ada")
    keys.allow("ada", "ada@example.org")
    return keys


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repo = Repository.init(tmp_path / "repo")
    (repo.root / "a").write_text("1")
    add_paths(repo, [""])
    return repo


def signer(keys: Keys) -> Signer:
    return Signer(find_keygen(None), str(keys.folder / "ada"))


# the hook for policies


@needs_keygen
def test_a_commit_is_good_by_the_settings_by_the_operation_and_by_a_verifier(
    repo: Repository, keys: Keys
) -> None:
    signed = record_commit(repo, message="one", author=ADA, time=TIME, sign=signer(keys).sign_commit)
    plain = record_commit(repo, message="two", author=ADA, time=TIME, allow_empty=True)
    good = Verifier(lambda: find_keygen(None), Trust(keys.allowed))
    assert not is_signed_good(repo, signed)  # nobody said who is allowed
    assert is_signed_good(repo, signed, good)
    assert not is_signed_good(repo, plain, good)
    repo.verifier = good
    assert is_signed_good(repo, signed)
    repo.verifier = None
    with repo.write_lock("config"):
        repo.save_config(repo.config.with_value("signing.allowedsigners", str(keys.allowed)))
    assert is_signed_good(repo, signed)


def test_an_unsigned_commit_is_not_good_and_asks_nobody(repo: Repository) -> None:
    plain = record_commit(repo, message="one", author=ADA, time=TIME)

    def ask() -> Keygen:
        raise AssertionError("asked")

    assert not is_signed_good(repo, plain, Verifier(ask, Trust()))


@needs_keygen
def test_a_signature_that_fails_records_nothing(repo: Repository) -> None:
    def fail(_: object) -> str:
        raise CannotRun("no")

    with pytest.raises(CannotRun):
        record_commit(repo, message="one", author=ADA, time=TIME, sign=fail)
    assert repo.refs.head().commit is None
    head = record_commit(repo, message="one", author=ADA, time=TIME)
    with pytest.raises(CannotRun):
        create_tag(repo, "v1", head, message="x", tagger=ADA, time=TIME, sign=fail)
    assert repo.refs.all("refs/tags/") == {}


@needs_keygen
@pytest.mark.parametrize(
    ("after", "before", "state"),
    [
        ("20260101", "20260201", "GOOD"),
        ("20260116152448", "20260116152449", "GOOD"),
        ("20260116152449", "20400101", "EXPIRED"),
        ("20200101", "20260116152447", "EXPIRED"),
    ],
)
def test_a_key_is_held_against_the_time_of_the_commit_to_the_second(
    repo: Repository, keys: Keys, after: str, before: str, state: str
) -> None:
    keys.allowed.write_text("")
    keys.allow("ada", "ada@example.org", f'valid-after="{after}",valid-before="{before}"')
    commit = record_commit(repo, message="one", author=ADA, time=TIME, sign=signer(keys).sign_commit)
    verifier = Verifier(lambda: find_keygen(None), Trust(keys.allowed))
    for wanted in ((), ("ada@example.org",)):
        assert verifier.commit(repo.objects.read_commit(commit), wanted).state == state


CERTIFIED = "cert-authority," + 'namespaces="mlstore.*"'


def certified(keys: Keys, repo: Repository, validity: str, options: str = CERTIFIED) -> ObjectId:
    """A commit that is signed with a certificate, whose authority stands in the list of signers."""
    keys.make("authority")
    keys.allowed.write_text("")
    keys.allow("authority", "*@example.org", options)
    certificate = keys.certify("ada", "authority", "ada@example.org", validity)
    sign = Signer(find_keygen(None), str(certificate)).sign_commit
    return record_commit(repo, message="one", author=ADA, time=TIME, sign=sign)


@needs_keygen
@pytest.mark.parametrize(
    ("validity", "state"),
    [
        ("always:forever", "GOOD"),
        ("20260101:20260201", "GOOD"),
        ("20260116152448:20260116152449", "GOOD"),
        ("20260116152449:forever", "EXPIRED"),
        ("20200101:20260116152448", "EXPIRED"),
        ("always:20210101", "EXPIRED"),
        ("20990101:20990201", "EXPIRED"),
        ("29990101:forever", "EXPIRED"),
    ],
)
def test_a_certificate_is_held_against_the_time_of_the_commit_to_the_second(
    repo: Repository, keys: Keys, validity: str, state: str
) -> None:
    commit = repo.objects.read_commit(certified(keys, repo, validity))
    verifier = Verifier(lambda: find_keygen(None), Trust(keys.allowed))
    for wanted in ((), ("ada@example.org",)):
        found = verifier.commit(commit, wanted)
        assert found.state == state
        if state == "EXPIRED":
            assert found.reason == "the certificate of 'ada@example.org' was not valid then"


@needs_keygen
def test_a_certificate_is_expired_with_the_key_that_signed_it(repo: Repository, keys: Keys) -> None:
    commit = certified(keys, repo, "20260101:20260201", CERTIFIED + ',valid-before="20250101"')
    verifier = Verifier(lambda: find_keygen(None), Trust(keys.allowed))
    assert verifier.commit(repo.objects.read_commit(commit)).state == "EXPIRED"


@needs_keygen
@pytest.mark.parametrize(
    ("allowed", "options"),
    [
        ("authority", 'cert-authority,namespaces="other"'),  # not for this purpose
        ("authority", 'namespaces="mlstore.*"'),  # a key, but nobody who may certify
        ("other", CERTIFIED),  # somebody else's word
    ],
)
def test_a_certificate_that_would_not_be_trusted_at_any_time_is_no_expired_one(
    repo: Repository, keys: Keys, allowed: str, options: str
) -> None:
    commit = certified(keys, repo, "20200101:20210101")
    keys.make("other")
    keys.allowed.write_text("")
    keys.allow(allowed, "*@example.org", options)
    verifier = Verifier(lambda: find_keygen(None), Trust(keys.allowed))
    assert verifier.commit(repo.objects.read_commit(commit)).state == "UNKNOWN-KEY"


@needs_keygen
@pytest.mark.parametrize("revoked", ["ada", "authority"])
@pytest.mark.parametrize("validity", ["always:forever", "20200101:20210101"])
def test_a_certificate_is_revoked_whether_or_not_it_is_expired(
    repo: Repository, keys: Keys, validity: str, revoked: str
) -> None:
    commit = certified(keys, repo, validity)
    keys.revoke(revoked, krl=True)
    verifier = Verifier(lambda: find_keygen(None), Trust(keys.allowed, keys.revoked))
    assert verifier.commit(repo.objects.read_commit(commit)).state == "REVOKED"


@needs_keygen
def test_an_expired_certificate_over_other_bytes_is_bad(repo: Repository, keys: Keys) -> None:
    commit = repo.objects.read_commit(certified(keys, repo, "20200101:20210101"))
    verifier = Verifier(lambda: find_keygen(None), Trust(keys.allowed))
    assert verifier.commit(replace(commit, message="two")).state == "BAD"


@needs_keygen
def test_many_threads_may_ask_one_verifier(repo: Repository, keys: Keys) -> None:
    from concurrent.futures import ThreadPoolExecutor

    keys.make("bob")
    keys.allow("bob", "bob@example.org")
    bob = Signer(find_keygen(None), str(keys.folder / "bob"))
    commits = []
    for number in range(8):
        sign = (signer(keys) if number % 2 else bob).sign_commit
        commits.append(
            record_commit(repo, message=f"{number}", author=ADA, time=TIME, allow_empty=True, sign=sign)
        )
    verifier = Verifier(lambda: find_keygen(None), Trust(keys.allowed))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: verifier.commit(repo.objects.read_commit(one)), commits))
    assert [one.principal for one in found] == ["bob@example.org", "ada@example.org"] * 4


@needs_keygen
def test_a_list_that_changes_meanwhile_does_not_change_a_verdict(repo: Repository, keys: Keys) -> None:
    commit = repo.objects.read_commit(
        record_commit(repo, message="one", author=ADA, time=TIME, sign=signer(keys).sign_commit)
    )
    verifier = Verifier(lambda: find_keygen(None), Trust(keys.allowed))
    assert verifier.commit(commit).good
    keys.allowed.write_text("")
    assert verifier.commit(commit).good
    assert not Verifier(lambda: find_keygen(None), Trust(keys.allowed)).commit(commit).good


@needs_keygen
def test_what_was_written_aside_is_removed(
    repo: Repository, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    commit = repo.objects.read_commit(
        record_commit(repo, message="one", author=ADA, time=TIME, sign=signer(keys).sign_commit)
    )
    verifier = Verifier(lambda: find_keygen(None), Trust(keys.allowed))
    assert verifier.commit(commit).good
    assert list(scratch.iterdir()) != []
    verifier.close()
    assert list(scratch.iterdir()) == []


@needs_keygen
def test_the_library_requires_what_the_lock_requires(repo: Repository, keys: Keys) -> None:
    record_commit(repo, message="one", author=ADA, time=TIME, sign=signer(keys).sign_commit)
    (repo.root / "mlstore.lock").write_text(render_lock(Lock("blake3", {}, SignedPolicy())))
    assert mlstore.open(repo.root, allowed_signers=keys.allowed).verify().ok
    assert mlstore.open(repo.root).verify().verdict == "unknown-key"
    keys.revoke("ada")
    store = mlstore.open(repo.root, allowed_signers=keys.allowed, revocation=keys.revoked)
    with pytest.raises(NotVerified, match="revoked"):
        store.require(against="HEAD")


# the program


def script(path: Path, text: str) -> Keygen:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Keygen(str(path), {"SSH_AUTH_SOCK": "/agent", "SECRET": "x", "HOME": "/home/ada"})


def test_a_program_that_does_not_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keygen_module, "JUDGING_LIMIT", 0.2)
    with pytest.raises(CannotRun, match="did not answer within 0.2 s"):
        script(tmp_path / "slow", "exec sleep 600").judge("-Y", "verify")


def test_a_program_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    (tmp_path / "no").write_text("\x7fELF")
    (tmp_path / "no").chmod(0o755)
    with pytest.raises(CannotRun, match="cannot be run"):
        Keygen(str(tmp_path / "no")).judge("-Y", "verify")


def test_a_judge_gets_nothing_of_the_environment_and_a_signer_what_finds_an_agent(tmp_path: Path) -> None:
    keygen = script(tmp_path / "env", "cat; env")
    judged = dict(line.split("=", 1) for line in keygen.judge("x").out.decode().split())
    assert judged.keys() - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "LC_ALL", "TZ"}
    assert (judged["LC_ALL"], judged["TZ"]) == ("C", "UTC")
    signing = dict(line.split("=", 1) for line in keygen.sign("x").out.decode().split())
    assert signing.keys() - judged.keys() == {"SSH_AUTH_SOCK", "HOME"}


def test_the_program_is_looked_for_in_absolute_folders_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "ssh-keygen", "true")
    monkeypatch.chdir(tmp_path)
    for path in ("", ".", "./", os.pathsep, "relative"):
        with pytest.raises(CannotRun, match="not installed"):
            find_keygen(path)
    assert find_keygen(f".{os.pathsep}{tmp_path}").program == str(tmp_path / "ssh-keygen")


# what a signature says of itself


@given(st.text() | st.binary().map(lambda data: BEGIN + data.hex() + "\n" + END))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    public_key(text)


@given(st.binary(max_size=200))
def test_no_certificate_makes_the_parser_fail(data: bytes) -> None:
    name = b"ssh-ed25519-cert-v01@openssh.com"
    moment = PublicKey(len(name).to_bytes(4, "big") + name + data).valid_at
    assert moment is None or len(moment) == 14


@needs_keygen
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_when_a_certificate_is_valid_is_read_of_every_kind_of_key(keys: Keys, kind: str) -> None:
    keys.make("authority")
    keys.make("some", kind=kind)
    path = keys.certify("some", "authority", "ada", "20260102030405:20260102030406")
    assert PublicKey(base64.b64decode(path.read_text().split()[1])).valid_at == "20260102030405"
    assert PublicKey(base64.b64decode(keys.public("some").split()[1])).valid_at is None


def test_times_are_taken_from_a_list_and_nothing_else() -> None:
    line = (
        'a@b,c namespaces="x,valid-after",Valid-Before="{}",valid-after="{}" ssh-ed25519 AAAA valid\udcff\n'
    )
    before, after = (
        line.format(*times).encode("utf-8", "surrogateescape")
        for times in (("20200101", "2019"), ("20991231", "19700102"))
    )
    assert without_bounds(before) == after


# what is required


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        (True, ()),
        ("ada bob", ("ada", "bob")),
        ("ada,bob", ("ada", "bob")),
        (["ada", "bob c"], ("ada", "bob", "c")),
    ],
)
def test_the_setting_says_who_has_to_sign(repo: Repository, setting: object, names: tuple[str, ...]) -> None:
    with repo.write_lock("config"):
        repo.save_config(repo.config.with_value("gate.requiresignature", setting))  # type: ignore[arg-type]
    assert requirements(repo, None, None) == [Requirement("gate.requiresignature", names)]


def test_the_setting_says_since_when_and_takes_nothing_but_a_whole_id(repo: Repository) -> None:
    def set_to(since: str) -> None:
        with repo.write_lock("config"):
            values = repo.config.with_value("gate.requiresignature", True)
            repo.save_config(values.with_value("gate.signedsince", since))

    set_to("1" * 64)
    assert requirements(repo, None, None) == [Requirement("gate.requiresignature", (), ObjectId("1" * 64))]
    set_to("1" * 10)
    with pytest.raises(ConfigError, match="not the whole id"):
        requirements(repo, None, None)


@pytest.mark.parametrize("setting", ["", " , ", 1, [1], []])
def test_a_setting_that_makes_no_sense_does_not_pass_for_none(repo: Repository, setting: object) -> None:
    with repo.write_lock("config"):
        repo.save_config(repo.config.with_value("gate.requiresignature", setting))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"gate\.requiresignature"):
        requirements(repo, None, None)


def test_a_setting_that_is_off_requires_nothing(repo: Repository) -> None:
    with repo.write_lock("config"):
        repo.save_config(repo.config.with_value("gate.requiresignature", False))
    assert requirements(repo, None, None) == []
    with repo.write_lock("config"):
        repo.save_config(repo.config.with_value("gate.signedsince", "main"))
    with pytest.raises(ConfigError, match="whole id"):
        requirements(repo, None, None)
