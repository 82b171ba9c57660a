"""Who may be deserialised, and how: the one place where a rule lets a model run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mlstore.compare import Artifact
from mlstore.hashing import ObjectFormat, ObjectId
from mlstore.history import Chain
from mlstore.repository import Repository, find_entry

if TYPE_CHECKING:
    from mlstore.signing.verifier import Verifier

Trust: TypeAlias = Callable[[str, ObjectId], str | None]
"""Says why the blob with this id, at this path, may be deserialised ("signed by ..."); None: it may not."""

Probe: TypeAlias = Callable[[str], Artifact | None]
"""Gives a file of the golden commit by its path; None where that has no such file."""

TIME_LIMIT = 60.0
"""Seconds that each model has to load and to predict."""


@dataclass(frozen=True, slots=True)
class Loading:
    """What ``predictions`` needs: the golden files, who else is trusted, and a time limit in seconds.

    Golden's own bytes are always trusted: production loads them anyway. Without ``trust`` nobody else is.
    """

    format: ObjectFormat
    probe: Probe
    trust: Trust | None = None
    time_limit: float = TIME_LIMIT


def golden_files(repo: Repository, tree: ObjectId) -> Probe:
    """Give the files of *tree* by path: the probe is golden's too, or a branch could choose an easy one."""

    def find(path: str) -> Artifact | None:
        entry = find_entry(repo.objects, tree, path)
        if entry is None or entry.kind == "tree":
            return None
        return Artifact.from_stream(path, entry.size, lambda: repo.objects.stream(entry.id))

    return find


def any_of(trusts: Iterable[Trust | None]) -> Trust:
    """Trust what one of *trusts* does."""
    known = [trust for trust in trusts if trust is not None]

    def trust(path: str, object_id: ObjectId) -> str | None:
        return next((reason for one in known if (reason := one(path, object_id)) is not None), None)

    return trust


def made_here(repo: Repository, chain: Chain) -> Trust:
    """Trust what a stage of *chain* wrote under ``mlstore run`` in this very repository.

    That it ran here is known from HEAD's reflog, which never leaves the repository. Whoever can write into
    ``.mlstore`` can forge it: this trusts them, and nobody who only pushes or is fetched from.
    """
    here = {
        entry.new for entry in repo.refs.reflog("HEAD") if entry.message.startswith(("commit:", "commit ("))
    }

    def trust(path: str, object_id: ObjectId) -> str | None:
        block = chain.producer(path)
        if block is None or block.stage.outputs.get(path) != object_id:
            return None
        if block.stage.record != "observed" or block.id not in here:
            return None
        return f"stage '{block.name}' wrote it here ({block.id[:10]})"

    return trust


def signed(repo: Repository, chain: Chain) -> Trust:
    """Trust what a block of *chain* with a good signature wrote.

    By ``repo.verifier``, else by the signers that the settings name; never by a list that lies in the
    repository itself, where whoever brings the model could name himself. Raises as ``is_signed_good`` does.
    """
    from mlstore.signing.verifier import verifier_of

    judge: Verifier = repo.verifier or verifier_of(repo)

    def trust(path: str, object_id: ObjectId) -> str | None:
        block = chain.producer(path)
        if block is None or block.stage.outputs.get(path) != object_id or judge.trust.inside(repo.root):
            return None
        found = judge.commit(repo.objects.read_commit(block.id))
        return f"stage '{block.name}' wrote it, signed by '{found.principal}'" if found.good else None

    return trust
