"""`mlstore chain`."""

from __future__ import annotations

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.notes import Notes
from mlstore_cli.options import complete_revisions, define, json_option


@define("chain")
@json_option
@click.argument("revision", default="HEAD", metavar="[REV]", shell_complete=complete_revisions)
@pass_session
def command(session: Session, as_json: bool, revision: str) -> None:
    """Show the pipeline's chain of blocks.

    One row a stage: its newest block at REV (default HEAD), in the order in which the stages follow each
    other. At HEAD, 'stale' marks what the worktree has left behind: 'mlstore run' would run it.
    The newest note of 'mlstore reproduce --record' stands below, where there is one.
    """
    from mlstore.pipeline import view_chain
    from mlstore_cli.views import pipeline as view

    chain = view_chain(session.repo, revision)
    book = Notes(session)
    notes = {block.id: book.of(block.id) for block in chain.blocks}
    if as_json:
        output.emit_json("chain/1", view.chain_to_json(chain, notes))
        return
    if chain.problem is not None:
        session.note(f"{session.error_style.yellow('warning:')} {output.escape(chain.problem.message)}")
    if not chain.blocks:
        session.note("no stage is on record here")
        session.hint("'mlstore run' runs the stages of mlstore.toml; 'commit --stage' records one by hand")
    else:
        output.write_lines(view.format_chain(chain, session.style, notes))
