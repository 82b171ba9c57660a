"""Declaring a pipeline golden: only one that verifies."""

from __future__ import annotations

from mlstore.errors import NotVerified, UsageError
from mlstore.hashing import ObjectId
from mlstore.history import create_tag, read_chain, resolve_commit
from mlstore.lockfile import LOCK_NAME, Lock, Pin, render_lock
from mlstore.model import Person
from mlstore.repository import Repository
from mlstore.verify.pins import make_pin, read_lock
from mlstore.verify.verification import verify
from mlstore.worktree import write_text

DEFAULT_NAME = "golden"


def pin_golden(
    repo: Repository,
    name: str = DEFAULT_NAME,
    rev: str = "HEAD",
    *,
    message: str | None = None,
    tagger: Person,
    time: str,
    force: bool = False,
) -> Pin:
    """Verify *rev*, tag it *name* and write the pin into ``mlstore.lock``; gives the pin.

    Raises ``NotVerified`` when it does not verify, ``UsageError`` when it has no stages, ``Refused``
    when the tag exists (unless *force*).
    """
    commit_id: ObjectId = resolve_commit(repo, rev)
    chain = read_chain(repo, commit_id)
    if not chain.blocks:
        raise UsageError(
            f"'{rev}' has no stages: there is no pipeline to pin",
            hint="run it with 'mlstore run', or record a stage with 'mlstore commit --stage NAME'",
        )
    with repo.write_lock("tag"):
        report = verify(repo, rev, pins=False)
        if report.ok and report.partial:
            raise NotVerified(
                f"'{rev}' was not looked at as a whole, so it cannot be golden: {report.partial}",
                hint=f"pin it where its content is: '{repo.source}'" if repo.source else None,
                verdict=report.verdict,
            )
        if not report.ok:
            first = report.findings[0]
            raise NotVerified(
                f"'{rev}' does not verify, so it cannot be golden: {first.message}",
                hint="'mlstore verify' tells all of it",
                verdict=report.verdict,
            )
        create_tag(
            repo,
            name,
            commit_id,
            message=message or f"golden pipeline of {len(chain)} stages",
            tagger=tagger,
            time=time,
            force=force,
        )
        lock = read_lock(repo) or Lock(repo.format.name)
        pin = make_pin(repo, name, commit_id, chain)
        write_text(repo, LOCK_NAME, render_lock(lock.with_pin(pin)))
        return pin
