"""What the commands that sign or judge signatures have in common: their options, keys, lists of signers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlstore.signing import Keygen, Signer, Verifier
    from mlstore.verify import Signing
    from mlstore_cli.context import Session

F = TypeVar("F", bound="Callable[..., Any]")

SIGN: Final = {"-S": "--sign", "--sign": "--sign"}
REQUIRE: Final = {"--require-signature": "--require-signature"}
"""Options whose value is optional and attached, for `define(optional=...)`: `-S`, `-SKEY`, `--sign=KEY`."""


def sign_options(function: F) -> F:
    """Add `-S` and `--no-sign`. The function receives `sign` (None, "" or a key) and `no_sign`."""
    for option in (
        click.option("--no-sign", is_flag=True, help="Do not sign, whatever the settings say."),
        click.option(
            "-S",
            "--sign",
            metavar="[KEY]",
            help="Sign, with KEY (attached: -SKEY, --sign=KEY) or user.signingkey.",
        ),
    ):
        function = option(function)
    return function


def trust_options(function: F) -> F:
    """Add `--allowed-signers` and `--revocation`, which the function receives by these names."""
    for option in (
        click.option(
            "--revocation", metavar="FILE", help="The keys that were called back: a list, or a KRL."
        ),
        click.option(
            "--allowed-signers",
            metavar="FILE",
            help="Whose keys to trust, as ssh-keygen's ALLOWED SIGNERS (default: MLSTORE_ALLOWED_SIGNERS, "
            "signing.allowedsigners).",
        ),
    ):
        function = option(function)
    return function


def require_options(function: F) -> F:
    """Add what `verify` and `exec` require of signatures and of the heads seen last."""
    for option in (
        click.option(
            "--accept-rollback",
            is_flag=True,
            help="Take the heads as they are, though this client saw others last.",
        ),
        click.option(
            "--require-signature",
            "require_signature",
            metavar="[=SIGNER]",
            multiple=True,
            help="Require that every commit of the history is signed, by an allowed signer or by SIGNER "
            "(may be given more than once).",
        ),
    ):
        function = option(function)
    return trust_options(function)


def signer_for(session: Session, sign: str | None, no_sign: bool, setting: str) -> Signer | None:
    """Return who signs, None when nothing is to be signed; `setting` is `commit.sign` or `tag.sign`.

    Raises ConfigError when no key is known, CannotRun without ssh-keygen.
    """
    if sign is not None and no_sign:
        raise click.UsageError("-S and --no-sign exclude each other", click.get_current_context())
    if no_sign or (sign is None and not session.repo.config.get_flag(setting, False)):
        return None
    from mlstore.errors import ConfigError
    from mlstore.signing import Signer, find_keygen
    from mlstore.signing.signer import is_literal

    configured = session.repo.config.get_text("user.signingkey")
    key = sign or configured
    if not key:
        raise ConfigError(
            "no signing key is set",
            hint="'mlstore config user.signingkey ~/.ssh/id_ed25519.pub' sets one; -SKEY gives one",
            key="user.signingkey",
        )
    if not is_literal(key):
        key = str(_file(session, key, option=bool(sign)))
    keygen = find_keygen(session.environ.get("PATH"), session.environ)
    return Signer(keygen, key, terminal=sys.stdin.isatty())


def verifier_for(session: Session, allowed_signers: str | None, revocation: str | None) -> Verifier:
    """Return who judges signatures; the repository has it as its `verifier` from now on."""
    from mlstore.signing import Trust, Verifier

    def find() -> Keygen:
        from mlstore.signing import find_keygen

        return find_keygen(session.environ.get("PATH"))

    def look_up(option: str | None, setting: str, variable: str = "") -> Path | None:
        given = option or session.environ.get(variable) or None
        configured = session.repo.config.get_text(setting)
        if given is not None:
            return _file(session, given, option=True)
        return None if configured is None else _file(session, configured, option=False)

    trust = Trust(
        look_up(allowed_signers, "signing.allowedsigners", "MLSTORE_ALLOWED_SIGNERS"),
        look_up(revocation, "signing.revocation"),
    )
    verifier = Verifier(find, trust)
    session.repo.verifier = verifier
    return verifier


def signing_for(
    session: Session, require: Sequence[str], allowed_signers: str | None, revocation: str | None
) -> Signing:
    """Return what `verify` is to do about signatures."""
    from mlstore.verify import Requirement, Signing

    names = tuple(name for text in require for name in text.split(",") if name)
    required = Requirement("--require-signature", names) if require else None
    return Signing(required, verifier_for(session, allowed_signers, revocation))


def _file(session: Session, text: str, *, option: bool) -> Path:
    """Return the file that the user means: an option's in the current folder, a setting's in the root."""
    home = session.environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        text = home + text[1:]
    return (session.cwd if option else session.repo.root) / text
