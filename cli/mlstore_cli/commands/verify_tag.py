"""`mlstore verify-tag`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlstore_cli import errors, output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option
from mlstore_cli.signing import trust_options, verifier_for

if TYPE_CHECKING:
    from mlstore.signing import Signature, Verifier


@define("verify-tag")
@trust_options
@json_option
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    allowed_signers: str | None,
    revocation: str | None,
    as_json: bool,
    names: tuple[str, ...],
) -> int:
    """Check the signatures of tags.

    The states are those of 'verify-commit'. A signed tag that stands under another name than it was made
    for is BAD; a tag that is only a ref is UNSIGNED.

    Exit status: 0 when all are GOOD, else 5.
    """
    from mlstore_cli.views.commits import format_signature

    judge = verifier_for(session, allowed_signers, revocation)
    rows = [(name, *_judge(session, judge, name)) for name in names]
    if as_json:
        found = [
            {"name": name, "target": target, "signature": signature.to_dict()}
            for name, target, signature in rows
        ]
        output.emit_json("verify-tag/1", {"tags": found})
    elif not session.quiet:
        output.write_lines(
            f"{output.escape(name)} {format_signature(signature, session.style)}"
            for name, _, signature in rows
        )
    return errors.OK if all(signature.good for _, _, signature in rows) else errors.NOT_TRUSTED


def _judge(session: Session, judge: Verifier, name: str) -> tuple[str, Signature]:
    """Return what the tag leads to, and the verdict."""
    from mlstore.errors import RefNotFound
    from mlstore.refs import TAGS, validate_ref
    from mlstore.signing import Signature

    objects = session.repo.objects
    found = session.repo.refs.read(validate_ref(TAGS + name))
    if found is None:
        raise RefNotFound(f"no tag '{name}'", hint="'mlstore tag' lists them", ref=name)
    if objects.kind(found) != "tag":
        objects.check(found)  # damage must not pass for a tag that is only a ref
        return found, Signature("UNSIGNED", reason="the tag is only a ref")
    tag = objects.read_tag(found)
    return tag.target, judge.tag(tag, name=name)
