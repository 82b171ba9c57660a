"""`mlstore tag`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option, require_utf8
from mlstore_cli.signing import REQUIRE, signer_for, signing_for, trust_options
from mlstore_cli.views import refs as view
from mlstore_cli.views.commits import short, tag_to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlstore.hashing import ObjectId
    from mlstore.lockfile import SignedPolicy
    from mlstore.signing import Signer
    from mlstore.verify import Signing


@define("tag", optional=REQUIRE)
@click.option("-a", "--annotate", is_flag=True, help="Make a tag object, with author, time and message.")
@click.option("-m", "--message", "messages", multiple=True, metavar="TEXT", callback=require_utf8,
              help="The message; implies -a.")  # fmt: skip
@click.option("-d", "--delete", is_flag=True, help="Delete tags.")
@click.option("-f", "--force", is_flag=True, help="Move a tag that exists.")
@click.option(
    "--golden", is_flag=True, help="Verify, tag (NAME is 'golden' if not given) and pin in mlstore.lock."
)
@click.option("-l", "--list", "as_list", is_flag=True, help="List the tags that match the patterns.")
@click.option("-s", "--sign", is_flag=True, help="Make a tag object and sign it, with user.signingkey.")
@click.option("-u", "--local-user", "key", metavar="KEY", help="Sign it with KEY.")
@click.option("--no-sign", is_flag=True, help="Do not sign, whatever the settings say.")
@click.option(
    "--require-signature",
    metavar="[=SIGNER]",
    multiple=True,
    help="With --golden, write into mlstore.lock that commits have to be signed (by SIGNER).",
)
@click.option(
    "--signed-since",
    metavar="REVISION",
    help="With --require-signature, leave out REVISION and what was before it.",
)
@trust_options
@json_option
@click.argument("names", nargs=-1, metavar="[NAME] [REVISION]", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    annotate: bool,
    messages: tuple[str, ...],
    delete: bool,
    force: bool,
    golden: bool,
    as_list: bool,
    sign: bool,
    key: str | None,
    no_sign: bool,
    require_signature: tuple[str, ...],
    signed_since: str | None,
    allowed_signers: str | None,
    revocation: str | None,
    as_json: bool,
    names: tuple[str, ...],
) -> None:
    """List, create or delete tags.

    Without a name the tags are listed. 'tag NAME' names HEAD, 'tag NAME REVISION' what the revision names.
    """
    wanted = key or ("" if sign else None)
    if (annotate or (wanted is not None and not golden)) and not messages:
        raise click.UsageError("an annotated tag needs a message; use -m TEXT", click.get_current_context())
    if (messages or force) and not names and not golden:
        raise click.UsageError("missing argument 'NAME'", click.get_current_context())
    if (require_signature or signed_since) and not golden:
        raise click.UsageError("--require-signature needs --golden here", click.get_current_context())
    if signed_since and not require_signature:
        raise click.UsageError("--signed-since needs --require-signature", click.get_current_context())
    if golden:
        signer = signer_for(session, wanted, no_sign, "tag.sign")
        policy = _policy(session, require_signature, signed_since)
        signing = signing_for(session, (), allowed_signers, revocation)
        _pin(
            session,
            names,
            "\n\n".join(messages) or None,
            signer,
            policy,
            signing,
            force=force,
            as_json=as_json,
        )
    elif delete:
        _delete(session, names, as_json)
    elif not names or as_list:
        _list(session, names, as_json)
    elif len(names) > 2:
        raise click.UsageError(f"unexpected argument '{names[2]}'", click.get_current_context())
    else:
        revision = names[1] if len(names) == 2 else "HEAD"
        signer = signer_for(session, wanted, no_sign, "tag.sign") if messages else None
        _create(session, names[0], revision, "\n\n".join(messages) if messages else None, signer, force=force,
                as_json=as_json)  # fmt: skip


def _policy(session: Session, required: Sequence[str], since: str | None) -> SignedPolicy | None:
    """Return what the lock is to say about signatures, None to leave it as it is."""
    from mlstore.history import resolve_commit
    from mlstore.lockfile import SignedPolicy

    if not required:
        return None
    names = tuple(name for text in required for name in text.split(",") if name)
    return SignedPolicy(names, None if since is None else resolve_commit(session.repo, since))


def _create(
    session: Session,
    name: str,
    revision: str,
    message: str | None,
    signer: Signer | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    from mlstore.history import create_tag, resolve

    repo = session.repo
    target = resolve(repo, revision).id
    who = session.author(hint=message is not None)
    sign = signer.sign_tag if signer is not None else None
    made = create_tag(
        repo, name, target, message=message, tagger=who, time=session.now(), force=force, sign=sign
    )
    if as_json:
        output.emit_json("tag/1", {"created": _to_json(session, name, made)})


def _pin(
    session: Session,
    names: tuple[str, ...],
    message: str | None,
    signer: Signer | None,
    policy: SignedPolicy | None,
    signing: Signing,
    *,
    force: bool,
    as_json: bool,
) -> None:
    from mlstore.verify import pin_golden

    name, revision = (*names, "golden", "HEAD")[:2] if not names else (*names, "HEAD")[:2]
    pin = pin_golden(
        session.repo,
        name,
        revision,
        message=message,
        tagger=session.author(),
        time=session.now(),
        force=force,
        sign=signer.sign_tag if signer is not None else None,
        policy=policy,
        signing=signing,
        seen=session.last_seen,
    )
    if as_json:
        output.emit_json(
            "tag/1",
            {
                "pinned": {
                    "name": pin.name,
                    "commit": pin.commit,
                    "lineage": pin.lineage,
                    "height": pin.height,
                    "stages": pin.stages,
                    "signed": pin.signed,
                    "gate": pin.gate,
                }
            },
        )
    elif not session.quiet:
        stages = f"{len(pin.stages)} stage{'s' if len(pin.stages) != 1 else ''}"
        signed = ", signed" if pin.signed else ""
        output.write_line(
            f"{output.escape(pin.name)} is {short(pin.commit)}, height {pin.height}, {stages}{signed}"
        )
        session.note("pinned in mlstore.lock; keep that file in git")


def _list(session: Session, patterns: Sequence[str], as_json: bool) -> None:
    from mlstore.refs import TAGS

    tags = {name.removeprefix(TAGS): target for name, target in session.repo.refs.all(TAGS).items()}
    tags = view.select(tags, patterns)
    if as_json:
        output.emit_json(
            "tag/1", {"tags": [_to_json(session, name, target) for name, target in tags.items()]}
        )
    else:
        output.write_lines(map(output.escape, tags))


def _delete(session: Session, names: Sequence[str], as_json: bool) -> None:
    from mlstore.history import delete_tag

    if not names:
        raise click.UsageError("missing argument 'NAME'", click.get_current_context())
    deleted = {}
    for name in names:
        deleted[name] = delete_tag(session.repo, name)
        if not as_json and not session.quiet:
            output.write_line(f"Deleted tag '{output.escape(name)}' (was {short(deleted[name])})")
    if as_json:
        output.emit_json("tag/1", {"deleted": deleted})


def _to_json(session: Session, name: str, target: ObjectId) -> dict[str, object]:
    kind = session.repo.objects.kind(target)
    row: dict[str, object] = {"name": name, "id": target, "annotated": kind == "tag"}
    if kind == "tag":
        return row | tag_to_json(session.repo.objects.read_tag(target)) | {"name": name}
    return row | {"target": target, "target_kind": kind}
