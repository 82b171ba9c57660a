"""Signing, and judging signatures, through the command."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.keys import Keys, needs_keygen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Spawn

pytestmark = needs_keygen

PIPELINE = """\
[stages.make]
command = "echo 1 > data.csv"
outputs = ["data.csv"]

[stages.fit]
command = "cat data.csv data.csv > model.bin"
inputs = ["data.csv"]
outputs = ["model.bin"]
"""


@pytest.fixture
def keys(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """Ada's key, which is allowed, and Mallory's, which is not."""
    keys = Keys(tmp_path_factory.mktemp("keys"))
    keys.make("ada")
    keys.make("mallory")
    keys.allow("ada", "ada@example.org")
    monkeypatch.setenv("MLSTORE_ALLOWED_SIGNERS", str(keys.allowed))
    return keys


@pytest.fixture
def signed(cli: Cli, keys: Keys) -> Cli:
    """A repository with one commit that Ada signed, and her key in the settings."""
    cli("config", "user.signingkey", str(keys.folder / "ada"))
    cli.write("a.txt", "1\n")
    cli("add", "a.txt")
    cli("commit", "-S", "-m", "one")
    return cli


def state(cli: Cli, *args: str, status: int = 5) -> str:
    found = cli("verify-commit", "--json", *args, status=status).json["commits"]
    return str(found[0]["signature"]["state"])


# signing


def test_a_signed_commit_is_good_and_says_by_whom(signed: Cli, keys: Keys) -> None:
    result = signed("verify-commit", "--json")
    signature = result.json["commits"][0]["signature"]
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(keys.folder / "ada.pub")], capture_output=True, text=True, check=True
    )
    assert result.json["schema"] == "mlstore.verify-commit/1"
    assert signature["state"] == "GOOD"
    assert signature["principal"] == "ada@example.org"
    assert signature["key"] == "ssh-ed25519"
    assert signature["fingerprint"] == listed.stdout.split()[1]


def test_the_key_may_be_attached_to_the_option_or_a_public_key_file(cli: Cli, keys: Keys) -> None:
    cli.write("a.txt", "1\n")
    cli("add", "a.txt")
    cli("commit", f"-S{keys.folder / 'ada.pub'}", "-m", "one")
    assert state(cli, status=0) == "GOOD"
    cli.write("a.txt", "2\n")
    cli("commit", "-a", f"--sign={keys.folder / 'mallory'}", "-m", "two")
    assert state(cli) == "UNKNOWN-KEY"


def test_the_option_may_stand_last_among_short_ones(signed: Cli) -> None:
    signed.write("a.txt", "2\n")
    signed("commit", "-aS", "-m", "two")
    assert state(signed, status=0) == "GOOD"


def test_commits_are_unsigned_unless_asked_for(signed: Cli) -> None:
    signed.write("a.txt", "2\n")
    signed("commit", "-a", "-m", "two")
    assert state(signed) == "UNSIGNED"


def test_a_setting_signs_every_commit_and_an_option_leaves_one_unsigned(signed: Cli) -> None:
    signed("config", "commit.sign", "true")
    signed.write("a.txt", "2\n")
    signed("commit", "-a", "-m", "two")
    signed.write("a.txt", "3\n")
    signed("commit", "-a", "--no-sign", "-m", "three")
    assert [state(signed, "HEAD~1", status=0), state(signed)] == ["GOOD", "UNSIGNED"]


def test_amending_signs_anew_or_not_at_all(signed: Cli) -> None:
    signed("commit", "--amend", "-S", "-m", "better")
    assert state(signed, status=0) == "GOOD"
    signed("commit", "--amend", "-m", "best")
    assert state(signed) == "UNSIGNED"


def test_run_signs_each_block(signed: Cli) -> None:
    signed.write("mlstore.toml", PIPELINE)
    signed("run", "-S", "fit")
    report = signed("verify", "--require-signature", "--json").json
    assert [row["stage"] for row in report["signatures"]] == [None, "make", "fit"]
    assert {row["state"] for row in report["signatures"]} == {"GOOD"}


def test_a_stage_recorded_by_hand_is_signed_too(signed: Cli) -> None:
    signed.write("mlstore.toml", PIPELINE)
    signed.write("data.csv", "1\n")
    signed("add", "-A")
    signed("commit", "-S", "--stage", "make")
    assert state(signed, status=0) == "GOOD"


def test_a_run_with_a_key_that_cannot_be_used_starts_nothing(signed: Cli, keys: Keys) -> None:
    signed.write("mlstore.toml", PIPELINE)
    locked = keys.make("locked", passphrase="secret")
    result = signed("run", f"-S{locked}", status=6)
    assert "cannot sign with" in result.err
    assert not (signed.root / "data.csv").exists()


def test_a_key_with_a_passphrase_and_no_terminal_is_told_in_one_line(signed: Cli, keys: Keys) -> None:
    locked = keys.make("locked", passphrase="secret")
    signed.write("a.txt", "2\n")
    before = signed("rev-parse", "HEAD").out
    result = signed("commit", "-a", f"-S{locked}", "-m", "two", status=6)
    error, hint = result.err.splitlines()
    assert error.startswith(f"error: cannot sign with '{locked}': ")
    assert "passphrase" in hint
    assert signed("rev-parse", "HEAD").out == before


AT_A_TERMINAL = """
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-m", "mlstore_cli", *sys.argv[2:]])
said = b""
while True:
    try:
        data = os.read(terminal, 1000)
    except OSError:
        break
    if not data:
        break
    said += data
    if b"passphrase" in said and sys.argv[1]:
        os.write(terminal, sys.argv[1].encode() + b"\\n")
        sys.argv[1] = ""
sys.stdout.write(said.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.parametrize(("passphrase", "status"), [("secret", 0), ("wrong", 6)])
def test_a_passphrase_is_asked_for_at_the_terminal(
    signed: Cli, keys: Keys, spawn: Spawn, passphrase: str, status: int
) -> None:
    locked = keys.make("locked", passphrase="secret")
    keys.allow("locked", "locked@example.org")
    command = ("commit", "-q", "--allow-empty", f"-S{locked}", "-m", "two")
    done = spawn("-c", AT_A_TERMINAL, passphrase, *command, cwd=signed.root)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Enter passphrase" in done.stdout
    assert (signed("log", "-1", "--show-signature").out.count("GOOD locked@example.org")) == (status == 0)


def test_without_a_key_the_settings_are_named(cli: Cli, keys: Keys) -> None:
    cli.write("a.txt", "1\n")
    cli("add", "a.txt")
    assert "user.signingkey" in cli("commit", "-S", "-m", "one", status=2).err
    assert "there is no signing key" in cli("commit", "-Snone", "-m", "one", status=4).err


def test_a_key_in_an_agent_is_named_by_its_public_half(
    cli: Cli, keys: Keys, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = tmp_path_factory.mktemp("agent") / "s"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        public = keys.public("ada")
        for _ in range(200):
            if socket.exists():
                break
            subprocess.run(["sleep", "0.01"], check=True)
        subprocess.run(["ssh-add", "-q", str(keys.folder / "ada")], check=True, capture_output=True)
        (keys.folder / "ada").unlink()
        cli("config", "user.signingkey", f"key::{public}")
        cli.write("a.txt", "1\n")
        cli("add", "a.txt")
        cli("commit", "-S", "-m", "one")
        assert state(cli, status=0) == "GOOD"
    finally:
        agent.terminate()
        agent.wait()


def test_a_text_that_is_no_public_key_is_refused(cli: Cli, keys: Keys) -> None:
    cli.write("a.txt", "1\n")
    cli("add", "a.txt")
    for key in ("key::nonsense", "key::ssh-ed25519 AAAA\nssh-ed25519 BBBB", "key::-o"):
        assert "not a public key" in cli("commit", f"-S{key}", "-m", "one", status=2).err


# judging


def test_without_a_list_a_signature_is_of_an_unknown_key(
    signed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLSTORE_ALLOWED_SIGNERS")
    result = signed("verify-commit", status=5)
    assert "UNKNOWN-KEY ssh-ed25519 SHA256:" in result.out
    assert "nobody said which signers are allowed" in result.out


def test_the_list_may_be_named_by_option_variable_and_setting(
    signed: Cli, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = keys.folder / "empty"
    empty.touch()
    assert state(signed, "--allowed-signers", str(empty)) == "UNKNOWN-KEY"
    monkeypatch.delenv("MLSTORE_ALLOWED_SIGNERS")
    signed("config", "signing.allowedsigners", str(keys.allowed))
    assert state(signed, status=0) == "GOOD"
    monkeypatch.setenv("MLSTORE_ALLOWED_SIGNERS", str(empty))
    assert state(signed) == "UNKNOWN-KEY"


def test_a_list_that_cannot_be_read_is_an_error(signed: Cli) -> None:
    assert "is not a file" in signed("verify-commit", "--allowed-signers", "none", status=2).err


def test_a_key_that_is_listed_for_git_alone_is_not_trusted(signed: Cli, keys: Keys) -> None:
    keys.allowed.write_text("")
    keys.allow("ada", "ada@example.org", 'namespaces="git"')
    result = signed("verify-commit", status=5)
    assert "UNKNOWN-KEY" in result.out
    assert "not for this purpose" in result.out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ('valid-before="20200101"', "EXPIRED"),
        ('valid-after="20900101"', "EXPIRED"),
        ('valid-after="20200101",valid-before="20900101"', "GOOD"),
    ],
)
def test_a_key_counts_for_the_time_that_the_commit_states(
    signed: Cli, keys: Keys, options: str, expected: str
) -> None:
    keys.allowed.write_text("# signers\n")
    keys.allow("ada", "ada@example.org", f'namespaces="mlstore.*",{options}')
    assert state(signed, status=0 if expected == "GOOD" else 5) == expected


@pytest.mark.parametrize("krl", [False, True], ids=["list", "krl"])
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "unlisted"])
def test_a_revoked_key_is_told(signed: Cli, keys: Keys, krl: bool, listed: bool) -> None:
    keys.revoke("ada", krl=krl)
    if not listed:
        keys.allowed.write_text("")
    assert state(signed, "--revocation", str(keys.revoked)) == "REVOKED"
    signed("config", "signing.revocation", str(keys.revoked))
    report = signed("verify", "--require-signature", "--json", status=5).json
    assert [finding["kind"] for finding in report["findings"]] == ["revoked-key"]


@pytest.mark.parametrize("krl", [False, True], ids=["list", "krl"])
def test_another_key_that_was_revoked_is_nothing_to_this_one(signed: Cli, keys: Keys, krl: bool) -> None:
    keys.revoke("mallory", krl=krl)
    assert state(signed, "--revocation", str(keys.revoked), status=0) == "GOOD"


def test_a_list_of_revoked_keys_that_makes_no_sense_is_an_error(signed: Cli, keys: Keys) -> None:
    keys.revoked.write_text("nonsense\n")
    result = signed("verify-commit", "--revocation", str(keys.revoked), status=2)
    assert "no list of revoked keys" in result.err


def test_a_certificate_of_an_authority_is_good_until_its_key_is_revoked(cli: Cli, keys: Keys) -> None:
    keys.make("authority")
    subprocess.run(
        ["ssh-keygen", "-q", "-s", keys.folder / "authority", "-I", "ada", "-n", "ada@example.org",
         keys.folder / "ada.pub"],
        check=True, capture_output=True,
    )  # fmt: skip
    keys.allowed.write_text(
        f'*@example.org cert-authority,namespaces="mlstore.*" {keys.public("authority")}\n'
    )
    cli.write("a.txt", "1\n")
    cli("add", "a.txt")
    cli("commit", f"-S{keys.folder / 'ada-cert.pub'}", "-m", "one")
    assert state(cli, status=0) == "GOOD"
    keys.revoke("ada")
    assert state(cli, "--revocation", str(keys.revoked)) == "REVOKED"


# tags


def test_a_signed_tag_is_good(signed: Cli) -> None:
    signed("tag", "-s", "v1", "-m", "first")
    tags = signed("verify-tag", "v1", "--json").json["tags"]
    assert tags[0]["signature"]["state"] == "GOOD"
    assert tags[0]["target"] == signed("rev-parse", "HEAD").out.strip()


def test_a_setting_signs_annotated_tags_only(signed: Cli) -> None:
    signed("config", "tag.sign", "true")
    signed("tag", "-a", "v1", "-m", "first")
    signed("tag", "light")
    signed("tag", "-a", "--no-sign", "v2", "-m", "second")
    found = signed("verify-tag", "v1", "light", "v2", "--json", status=5).json["tags"]
    assert [tag["signature"]["state"] for tag in found] == ["GOOD", "UNSIGNED", "UNSIGNED"]


def test_a_signed_tag_counts_under_its_own_name_only(signed: Cli) -> None:
    signed("tag", "-s", "v1", "-m", "first")
    tags = signed.root / ".mlstore/refs/tags"
    (tags / "golden").write_bytes((tags / "v1").read_bytes())
    result = signed("verify-tag", "golden", status=5)
    assert "BAD" in result.out
    assert "it was made for the tag 'v1'" in result.out


def test_a_tag_may_be_signed_with_a_key_of_its_own(signed: Cli, keys: Keys) -> None:
    signed("tag", "-u", str(keys.folder / "mallory"), "v1", "-m", "first")
    assert "UNKNOWN-KEY" in signed("verify-tag", "v1", status=5).out


def test_a_signed_tag_needs_a_message_and_a_name_that_exists(signed: Cli) -> None:
    signed("tag", "-s", "v1", status=2)
    signed("verify-tag", "v1", status=4)


# showing


def test_log_and_show_say_whose_signature_it_is(signed: Cli) -> None:
    signed("tag", "-s", "v1", "-m", "first")
    signed.write("a.txt", "2\n")
    signed("commit", "-a", "-m", "two")
    lines = signed("log", "--show-signature").lines
    assert [line.split(" ")[1] for line in lines if line.startswith("Signed:")] == ["UNSIGNED", "GOOD"]
    assert [line.split()[1] for line in signed("log", "--oneline", "--show-signature").lines] == [
        "UNSIGNED",
        "GOOD",
    ]
    commits = signed("log", "--show-signature", "--json").json["commits"]
    assert [one["signature"]["state"] for one in commits] == ["UNSIGNED", "GOOD"]
    assert [one["signed"] for one in commits] == [False, True]
    shown = signed("show", "-s", "--show-signature", "v1").out
    assert shown.count("Signed: GOOD ada@example.org ssh-ed25519 SHA256:") == 2
    assert "Signed:" not in signed("log").out + signed("show", "v1").out


# the program


def fake_keygen(folder: Path, script: str) -> str:
    folder.mkdir()
    program = folder / "ssh-keygen"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize("status", [1, 255])
def test_what_the_program_prints_decides_nothing(
    signed: Cli, keys: Keys, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    lie = f'echo "Good \\"mlstore.commit.v1\\" signature for ada@example.org"; exit {status}'
    monkeypatch.setenv("PATH", fake_keygen(keys.folder / "bin", lie))
    assert state(signed) == "BAD"
    signed("verify", "--require-signature", status=5)


def test_a_verification_that_fails_and_says_good_has_failed(
    signed: Cli, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.run(["which", "ssh-keygen"], capture_output=True, text=True, check=True).stdout.strip()
    lie = f'if [ "$2" = verify ]; then echo "Good signature"; exit 1; fi; exec {real} "$@"'
    monkeypatch.setenv("PATH", fake_keygen(keys.folder / "bin", lie))
    assert state(signed) == "UNKNOWN-KEY"
    report = signed("verify", "--require-signature=ada@example.org", "--json", status=5).json
    assert report["verdict"] == "unknown-key"


def test_names_that_the_program_makes_up_are_only_asked_about(
    signed: Cli, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.run(["which", "ssh-keygen"], capture_output=True, text=True, check=True).stdout.strip()
    lie = f'if [ "$2" = find-principals ]; then echo root; echo -oops; exit 0; fi; exec {real} "$@"'
    monkeypatch.setenv("PATH", fake_keygen(keys.folder / "bin", lie))
    keys.allowed.write_text("")
    assert state(signed) == "UNKNOWN-KEY"


def test_without_the_program_only_what_needs_it_fails_with_one_clear_line(
    signed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    for args in (
        ["verify-commit"],
        ["verify", "--require-signature"],
        ["commit", "--amend", "-S", "-m", "x"],
    ):
        error, hint = signed(*args, status=6).err.splitlines()
        assert error.startswith("error: 'ssh-keygen' is not installed")
        assert "openssh" in hint.lower()
    signed("verify")
    signed("log")
    signed.write("a.txt", "2\n")
    signed("commit", "-a", "-m", "two")
    assert state(signed) == "UNSIGNED"


def test_a_program_in_the_current_folder_is_never_run(
    signed: Cli, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = keys.folder / "ran"
    fake_keygen(signed.root / "bin", f"touch {mark}")
    monkeypatch.chdir(signed.root / "bin")
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.environ['PATH']}")
    assert state(signed, status=0) == "GOOD"
    assert not mark.exists()


# what is required


def test_an_unsigned_commit_anywhere_in_the_history_is_not_trusted(signed: Cli) -> None:
    signed.write("a.txt", "2\n")
    signed("commit", "-a", "-m", "two")
    signed.write("a.txt", "3\n")
    signed("commit", "-a", "-S", "-m", "three")
    unsigned = signed("rev-parse", "HEAD~1").out.strip()
    report = signed("verify", "--require-signature", "--json", status=5).json
    assert report["verdict"] == "unsigned"
    assert [(finding["kind"], finding["commit"]) for finding in report["findings"]] == [
        ("unsigned", unsigned)
    ]
    assert "signatures" not in report["skipped"]
    assert report["checked"]["signatures"] == 3


def test_without_a_requirement_verify_says_that_it_did_not_look(signed: Cli) -> None:
    assert (
        signed("verify", "--json")
        .json["skipped"]["signatures"]
        .startswith("1 of 1 commits carry a signature")
    )
    signed("commit", "--amend", "-m", "better")
    assert signed("verify", "--json").json["skipped"]["signatures"].startswith("no commit is signed")


def test_a_signer_who_is_not_asked_for_does_not_count(signed: Cli, keys: Keys) -> None:
    keys.allow("mallory", "bob@example.org")
    signed("verify", "--require-signature=ada@example.org")
    signed("verify", "--require-signature=bob@example.org", "--require-signature=ada@example.org")
    report = signed("verify", "--require-signature=bob@example.org", "--json", status=5).json
    assert report["verdict"] == "unknown-key"
    assert "who is not asked for" in report["findings"][0]["cause"]
    signed("verify", "--require-signature=-oops", status=2)


def test_a_setting_requires_signatures_of_verify_and_exec(signed: Cli) -> None:
    signed.write("mlstore.toml", PIPELINE)
    signed("run")
    signed("tag", "--golden")
    signed("exec", "--", "true")
    signed("config", "gate.requiresignature", "true")
    assert "refused: 'true' was not started" in signed("exec", "--", "true", status=5).err
    signed("verify", status=5)
    signed("config", "gate.requiresignature", "nobody at all, or so")
    signed("verify", status=5)


def test_exec_requires_signatures_when_asked_to(signed: Cli) -> None:
    signed.write("mlstore.toml", PIPELINE)
    signed("run", "-S")
    signed("tag", "--golden", "-s")
    signed("exec", "--require-signature", "--", "true")
    signed("exec", "--require-signature=bob", "--", "true", status=5)


def test_exec_leaves_nothing_behind_in_the_folder_for_temporary_files(
    signed: Cli, spawn: Spawn, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    signed.write("mlstore.toml", PIPELINE)
    signed("run", "-S")
    signed("tag", "--golden", "-s")
    done = spawn("exec", "--require-signature", "--", "echo", "ran", cwd=signed.root, TMPDIR=str(scratch))
    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr
    assert list(scratch.iterdir()) == []


def test_a_list_inside_of_the_repository_is_used_with_a_warning(signed: Cli, keys: Keys) -> None:
    signed.write("signers", keys.allowed.read_text())
    report = signed(
        "verify", "--require-signature", "--allowed-signers", str(signed.root / "signers"), "--json"
    ).json
    assert report["ok"]
    assert [report["findings"][0][key] for key in ("kind", "severity")] == ["signers-in-worktree", "warning"]


# the lock


def test_the_lock_keeps_a_requirement_that_no_branch_can_drop(signed: Cli) -> None:
    signed.write("mlstore.toml", PIPELINE)
    signed("run", "-S")
    signed("tag", "--golden", "-s", "--require-signature=ada@example.org")
    assert '[signatures]\nrequired = true\nprincipals = ["ada@example.org"]\n' in signed.read("mlstore.lock")
    signed("verify", "--against", "golden")
    signed("switch", "-q", "-c", "other")
    signed.write("a.txt", "2\n")
    signed("commit", "-a", "-m", "two")
    assert signed("verify", "--json", status=5).json["verdict"] == "unsigned"
    signed("tag", "-f", "--golden", status=1)
    signed("commit", "--amend", "-q", "-S", "-m", "two")
    signed("tag", "-f", "--golden")
    assert "[signatures]" in signed.read("mlstore.lock")


def test_each_of_two_that_require_signers_has_to_find_one_of_its_own(signed: Cli, keys: Keys) -> None:
    keys.allow("mallory", "bob@example.org")
    signed.write("mlstore.toml", PIPELINE)
    signed("run", "-S")
    signed("tag", "--golden", "-s")
    for setting, option in (("ada@example.org", "bob@example.org"), ("bob@example.org", "ada@example.org")):
        signed("config", "gate.requiresignature", setting)
        report = signed("verify", f"--require-signature={option}", "--json", status=5).json
        assert {row["state"] for row in report["signatures"]} == {"UNKNOWN-KEY"}, (setting, option)
    signed("config", "gate.requiresignature", "ada@example.org")
    report = signed("verify", "--require-signature=ada@example.org", "--json").json
    assert {row["state"] for row in report["signatures"]} == {"GOOD"}


def test_what_was_before_signing_began_may_be_left_out(signed: Cli) -> None:
    signed.write("mlstore.toml", PIPELINE)
    signed("run")
    signed("tag", "--golden", "--require-signature", status=1)
    signed("tag", "--golden", "--require-signature", "--signed-since", "HEAD")
    # Whoever requires more, gets more: the lock's exemption is the lock's alone.
    stricter = signed("verify", "--require-signature", "--json", status=5).json
    assert [row["state"] for row in stricter["signatures"]] == ["GOOD", "UNSIGNED", "UNSIGNED"]
    report = signed("verify", "--json").json
    assert report["skipped"]["signatures"] == "3 earlier commits, which the policy leaves out"
    signed.write("a.txt", "2\n")
    signed("commit", "-a", "-m", "two")
    assert signed("verify", "--json", status=5).json["verdict"] == "unsigned"
    signed("verify", "--require-signature", status=5)


def test_a_golden_tag_whose_signature_was_taken_away_is_told(signed: Cli) -> None:
    signed.write("mlstore.toml", PIPELINE)
    signed("run", "-S")
    signed("tag", "--golden", "-s")
    assert "signed = true" in signed.read("mlstore.lock")
    assert signed("verify", "--json").json["signatures"][0]["tag"] == "golden"
    (signed.root / ".mlstore/refs/tags/golden").write_text(signed("rev-parse", "HEAD").out)
    report = signed("verify", "--json", status=5).json
    assert "unsigned" in {finding["kind"] for finding in report["findings"]}


def test_a_signed_golden_tag_without_a_list_of_signers_says_what_was_not_looked_at(
    signed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed.write("mlstore.toml", PIPELINE)
    signed("run")
    signed("tag", "--golden", "-s")
    monkeypatch.delenv("MLSTORE_ALLOWED_SIGNERS")
    report = signed("verify", "--json").json
    assert "nobody said which signers are allowed" in report["skipped"]["signers"]
