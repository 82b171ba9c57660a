"""`mlstore hook`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlstore_cli import errors, output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlstore.hooks import Git, HookFile
    from mlstore.verify import Finding, Report

_ACTIONS = ("install", "uninstall", "list", "run")


@define("hook", context_settings={"help_option_names": ["-h", "--help"], "ignore_unknown_options": True})
@click.option("--warn", is_flag=True, help="With run: say what is wrong, and let it pass.")
@json_option
@click.argument("action", type=click.Choice(_ACTIONS), metavar="install|uninstall|list|run")
@click.argument("words", nargs=-1, metavar="[HOOK]...")
@pass_session
def command(session: Session, warn: bool, as_json: bool, action: str, words: tuple[str, ...]) -> int:
    """Install git hooks that hold the pipeline against its record.

    'install' writes pre-commit, pre-push and post-checkout (or only the HOOKs that are named) into git's
    hooks folder. A hook that stands there is kept and run first; 'uninstall' puts it back. 'list' shows them.

    'run HOOK' is what they do. pre-commit stops a commit in git when a stage is stale, when 'mlstore.lock'
    does not agree with the store, or when an artifact that mlstore tracks is about to be added to git; it
    goes by the times of files as 'mlstore status' does. 'lock' is the part of it that is about the lock.
    pre-push runs 'mlstore verify'. post-checkout only says what no longer fits. 'mlstore config hook.mode
    warn' makes all of them say it and let it pass, as --warn does.

    Exit status: 0 fine, otherwise as 'mlstore verify'.
    """
    if action == "run":
        return _run(session, words, warn=warn, as_json=as_json)
    from mlstore.hooks import HOOKS, find_hooks, install_hook, uninstall_hook

    unknown = [word for word in words if word not in HOOKS]
    if unknown:
        raise click.UsageError(
            f"'{unknown[0]}' is no hook of mlstore; there are {', '.join(HOOKS)}",
            click.get_current_context(),
        )
    git = _git(session)
    if action == "install":
        import sys

        where = _place(session, git)
        for name in words or HOOKS:
            install_hook(git.hooks, name, python=sys.executable, where=where)
    elif action == "uninstall":
        for name in words or HOOKS:
            uninstall_hook(git.hooks, name)
    _show(session, find_hooks(git.hooks), as_json=as_json)
    return 0


def _git(session: Session) -> Git:
    from mlstore.hooks import Git

    return Git(session.cwd.resolve(), session.environ)


def _place(session: Session, git: Git) -> str | None:
    """Return where the repository lies below the folder in which git runs hooks."""
    root, top = session.repo.root.resolve(), git.top.resolve()
    if root == top:
        return None
    return str(root.relative_to(top)) if root.is_relative_to(top) else str(root)


def _show(session: Session, hooks: Sequence[HookFile], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "name": hook.name,
                "path": str(hook.path),
                "state": hook.state,
                "before": str(hook.before) if hook.before else None,
            }
            for hook in hooks
        ]
        output.emit_json("hook/1", {"hooks": rows})
        return
    words = {"installed": "installed", "foreign": "somebody else's", "absent": "not installed"}
    for hook in hooks:
        before = f", after '{output.escape(hook.before.name)}'" if hook.before else ""
        output.write_line(f"{hook.name:<14}{words[hook.state]}{before}")


# --- what the hooks do ---


def _run(session: Session, words: tuple[str, ...], *, warn: bool, as_json: bool) -> int:
    runs = {"pre-commit": _pre_commit, "lock": _lock, "pre-push": _pre_push, "post-checkout": _post_checkout}
    name = words[0] if words else ""
    if name not in runs:
        raise click.UsageError(f"'run' needs one of {', '.join(runs)}", click.get_current_context())
    mode = session.repo.config.get_mode("hook.mode")
    warn = warn or mode == "warn" or name == "post-checkout"
    return _tell(session, name, runs[name](session, words[1:]), warn=warn, as_json=as_json)


def _pre_commit(session: Session, _arguments: Sequence[str]) -> list[Finding]:
    from mlstore.hooks import check_added, check_commit

    git, repo = _git(session), session.repo
    findings = check_added(repo, _below(repo.root, git.staged("A")))
    findings += check_commit(repo)
    return [*findings, *_lock(session, ())]


def _lock(session: Session, _arguments: Sequence[str]) -> list[Finding]:
    """What the next commit in git will hold: the file in the worktree may be another one."""
    from mlstore.hooks import check_lock
    from mlstore.lockfile import LOCK_NAME

    git, path = _git(session), session.repo.root.resolve() / LOCK_NAME
    if path not in git.staged():
        return []
    text = git.staged_content(path)
    if path.is_file() and path.read_bytes() == text:
        return check_lock(session.repo, text)
    return [_stale_lock(), *check_lock(session.repo, text)]


def _stale_lock() -> Finding:
    from mlstore.lockfile import LOCK_NAME
    from mlstore.verify import Finding

    return Finding(
        "staged-lock",
        f"git is about to commit another '{LOCK_NAME}' than the one in the worktree",
        path=LOCK_NAME,
        hint=f"'git add {LOCK_NAME}', or restore it",
    )


def _below(root: Path, paths: Sequence[Path]) -> list[str]:
    here = root.resolve()
    return [path.relative_to(here).as_posix() for path in paths if path.is_relative_to(here)]


def _pre_push(session: Session, _arguments: Sequence[str]) -> list[Finding]:
    from mlstore.verify import verify

    with session.progress("verifying") as progress:
        return verify(session.repo, progress=progress).findings


def _post_checkout(session: Session, arguments: Sequence[str]) -> list[Finding]:
    from mlstore.hooks import check_commit

    if len(arguments) == 3 and arguments[2] == "0":
        return []  # files were taken from a commit, no branch was switched
    return check_commit(session.repo)


def _tell(session: Session, name: str, findings: list[Finding], *, warn: bool, as_json: bool) -> int:
    from mlstore.verify import Report

    report = Report("HEAD", session.repo.refs.head().commit, findings=findings)
    report.sort()
    if as_json:
        found = [finding.to_dict() for finding in report.findings]
        output.emit_json("hook-run/1", {"hook": name, "ok": report.ok, "findings": found})
    elif not report.ok:
        _explain(session, name, report, warn=warn)
    return 0 if warn else errors.status_of_category(report.category)


def _explain(session: Session, name: str, report: Report, *, warn: bool) -> None:
    from mlstore_cli.views.verify import format_findings

    style = session.error_style
    for line in format_findings(report.findings, style)[1:]:
        output.write_note(line)
    if name == "post-checkout":
        return
    if warn:
        output.write_note(f"{style.yellow('warning:')} '{name}' lets it through all the same")
    elif name in ("pre-commit", "pre-push"):
        session.hint(f"'git {name.removeprefix('pre-')} --no-verify' goes on without this check")
