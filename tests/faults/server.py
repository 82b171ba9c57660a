"""Runs `mlstore` in forked children, so that a thousand runs do not cost a thousand starts of Python.

Each line on stdin is a request, ``{"argv": [...], "cwd": "...", "wait": true}``; each line on stdout an
answer: first ``{"pid": N}``, and when the child has ended ``{"status": N, "out": ..., "err": ...}``, where a
negative status is a signal. With ``wait`` the child has everything ready by the first answer and does nothing
before it gets SIGUSR1: time to attach a tracer, which will see the command's own calls and no others.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
from importlib import import_module
from pkgutil import walk_packages
from typing import IO, Any

import mlstore
import mlstore_cli
from mlstore_cli.main import main

# What commands import when they need it, and what they stand on: once here, not in every child.
OTHERS = (
    "_strptime",
    "blake3",
    "click",
    "concurrent.futures",
    "json",
    "pathspec",
    "queue",
    "subprocess",
    "tomllib",
    "xxhash",
    "zstandard",
)


def import_all() -> None:
    """Import every module of ours but those that need a heavy library."""
    for name in OTHERS:
        import_module(name)
    for package in (mlstore, mlstore_cli):
        for module in walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.startswith("mlstore.compare.") and not module.name.endswith("__main__"):
                import_module(module.name)


def write_in_place() -> None:
    """Break the store on purpose: write refs and the index where they stand, in two halves, as people do."""
    from mlstore import durable

    def replace_file(path: Any, data: bytes, **_more: Any) -> None:
        with open(path, "wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            file.write(data[len(data) // 2 :])

    durable.replace_file = replace_file  # type: ignore[assignment]


def name_before_content() -> None:
    """Break it in another way: move the ref first, and publish the commit's objects then."""
    from mlstore.history import record
    from mlstore.objects import ObjectDatabase

    transaction, move_head = ObjectDatabase.transaction, record.move_head
    late: list[Any] = []

    class Late:
        """A transaction that does not end with its block."""

        def __init__(self, objects: Any) -> None:
            self._context = transaction(objects)

        def __enter__(self) -> Any:
            return self._context.__enter__()

        def __exit__(self, *_exc: object) -> None:
            late.append(self._context)

    def move_first(*args: Any, **more: Any) -> None:
        move_head(*args, **more)
        for context in late:
            context.__exit__(None, None, None)

    ObjectDatabase.transaction = lambda self: Late(self)  # noqa: PLW0108 - a class would not be bound
    record.move_head = move_first


SABOTAGE = {"write in place": write_in_place, "name before content": name_before_content}


def child(request: dict[str, Any], out: IO[bytes], err: IO[bytes], ready: int) -> int:
    os.chdir(request["cwd"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    if request.get("sabotage"):
        SABOTAGE[request["sabotage"]]()
    if request.get("file_size") is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_size"], request["file_size"]))
    os.close(ready)
    if request.get("wait"):
        signal.sigwait({signal.SIGUSR1})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    status = main(request["argv"])
    sys.stdout.flush()
    return status


def answer(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def serve() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})  # a child may get it before it waits for it
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            waiting, ready = os.pipe()
            pid = os.fork()
            if pid == 0:
                status = 99
                try:
                    status = child(request, out, err, ready)
                finally:
                    os._exit(status)
            os.close(ready)
            os.read(waiting, 1)  # nothing comes: it ends when the child has closed its side
            os.close(waiting)
            answer({"pid": pid})
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            out.seek(0)
            err.seek(0)
            answer({"status": status, "out": out.read().decode(), "err": err.read().decode()})


if __name__ == "__main__":
    import_all()
    serve()
