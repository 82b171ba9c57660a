"""Tags: a lasting name for one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mlstore.errors import RefNotFound, Refused
from mlstore.hashing import ObjectId
from mlstore.model import Person, Tag
from mlstore.refs import TAGS, ReflogEntry, validate_ref
from mlstore.repository import Repository


def create_tag(
    repo: Repository,
    name: str,
    target: ObjectId,
    *,
    message: str | None,
    tagger: Person,
    time: str,
    force: bool = False,
    sign: Callable[[Tag], str] | None = None,
) -> ObjectId:
    """Make tag *name* for the object *target* and give what the ref points to.

    With *message* it is an annotated tag, an object of its own; with None the ref points to *target*.
    *sign* gives the signature of such an object; when it raises, nothing is made.
    Raises ``InvalidRef``, ``ObjectNotFound``, or ``Refused`` when it exists (unless *force*).
    """
    ref = validate_ref(TAGS + name)
    with repo.write_lock("tag"):
        old = repo.refs.read(ref)
        if old is not None and not force:
            raise Refused(
                f"a tag '{name}' exists already", hint="a tag is meant to stay: use -f to move it", ref=ref
            )
        kind = repo.objects.kind(target)
        value = target
        if message is not None:
            tag = Tag(name, target, kind, tagger, time, message.strip("\n"))
            if sign is not None:
                tag = replace(tag, signature=sign(tag))
            with repo.objects.transaction() as writer:
                value = writer.add_tag(tag)
        repo.refs.update(
            ref, value, old=old, entry=ReflogEntry(old, value, time, str(tagger), f"tag: {name}")
        )
        return value


def delete_tag(repo: Repository, name: str) -> ObjectId:
    """Remove tag *name* and give where it pointed; raises ``RefNotFound``."""
    with repo.write_lock("tag"):
        ref = validate_ref(TAGS + name)
        old = repo.refs.read(ref)
        if old is None:
            raise RefNotFound(f"no tag '{name}'", hint="'mlstore tag' lists them", ref=ref)
        repo.refs.delete(ref, old=old)
        return old
