"""`mlstore verify-commit`."""

from __future__ import annotations

import click

from mlstore_cli import errors, output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option
from mlstore_cli.signing import trust_options, verifier_for


@define("verify-commit")
@trust_options
@json_option
@click.argument("revisions", nargs=-1, metavar="[REVISION]...", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    allowed_signers: str | None,
    revocation: str | None,
    as_json: bool,
    revisions: tuple[str, ...],
) -> int:
    """Check the signatures of commits.

    HEAD when no revision is given. The state is GOOD (with who signed), UNSIGNED, UNKNOWN-KEY, EXPIRED,
    REVOKED or BAD. Only the signature is judged here; 'mlstore verify --require-signature' judges the whole
    history.

    Exit status: 0 when all are GOOD, else 5.
    """
    from mlstore.history import resolve_commit
    from mlstore_cli.views.commits import format_signature, short

    judge = verifier_for(session, allowed_signers, revocation)
    rows = []
    for revision in revisions or ("HEAD",):
        commit_id = resolve_commit(session.repo, revision)
        rows.append((commit_id, judge.commit(session.repo.objects.read_commit(commit_id))))
    if as_json:
        found = [{"commit": commit_id, "signature": signature.to_dict()} for commit_id, signature in rows]
        output.emit_json("verify-commit/1", {"commits": found})
    elif not session.quiet:
        output.write_lines(f"{short(one)} {format_signature(found, session.style)}" for one, found in rows)
    return errors.OK if all(signature.good for _, signature in rows) else errors.NOT_TRUSTED
