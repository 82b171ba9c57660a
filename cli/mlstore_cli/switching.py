"""What `checkout` and `switch` share: move HEAD by the library, then say what happened as git does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlstore_cli import output
from mlstore_cli.views.changes import LETTERS
from mlstore_cli.views.commits import short

if TYPE_CHECKING:
    from mlstore.hashing import ObjectId
    from mlstore.history import Switched
    from mlstore_cli.context import Session

_ADVICE: Final = (
    "HEAD is detached: commits made now belong to no branch.",
    "To keep them make a branch: 'mlstore switch -c NAME'. To go back: 'mlstore switch -'.",
)


def switch_to(
    session: Session,
    target: str,
    *,
    create: bool = False,
    start: str | None = None,
    reset: bool = False,
    detach: bool = False,
    force: bool = False,
    as_json: bool = False,
) -> None:
    """Switch to `target` and report: local changes that were carried over on stdout, the rest on stderr."""
    from mlstore.history import switch

    with session.watched("checking out"):
        done = switch(
            session.repo,
            target,
            create=create,
            start=start or "HEAD",
            reset=reset,
            detach=detach,
            force=force,
            carried=as_json or not session.quiet,
            who=session.author(),
            time=session.now(),
        )
    if as_json:
        output.emit_json("checkout/1", _to_json(done))
        return
    if not session.quiet:
        output.write_lines(
            f"{LETTERS[change.status]}\t{output.quote(change.path)}" for change in done.carried
        )
    _report(session, done, created=create)


def _report(session: Session, done: Switched, *, created: bool) -> None:
    before, after = done.previous, done.head
    if before.branch is None and before.commit is not None and before.commit != after.commit:
        session.note(f"Previous HEAD position was {_describe(session, before.commit)}")
    if after.branch is not None:
        name = output.escape(after.branch)
        if created:
            session.note(f"Switched to a new branch '{name}'")
        elif after.branch == before.branch:
            session.note(f"Already on '{name}'")
        else:
            session.note(f"Switched to branch '{name}'")
    elif after.commit is not None:
        if before.branch is not None:
            for line in _ADVICE:
                session.hint(line)
        session.note(f"HEAD is now at {_describe(session, after.commit)}")


def _describe(session: Session, commit_id: ObjectId) -> str:
    return f"{short(commit_id)} {output.escape(session.repo.objects.read_commit(commit_id).subject)}"


def _to_json(done: Switched) -> dict[str, object]:
    return {
        "previous": {"branch": done.previous.branch, "commit": done.previous.commit},
        "branch": done.head.branch,
        "commit": done.head.commit,
        "carried": [{"path": change.path, "status": change.status} for change in done.carried],
    }
