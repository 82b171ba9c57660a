"""Put changed code into functions that are loaded already: no module has to be imported again."""

from __future__ import annotations

import ast
import gc
import inspect
from types import CodeType, FunctionType


class NeedsImport(Exception):
    """The change is in what runs when the module is imported."""


def swap(path: str, source: str, changed: ast.Module) -> None:
    """Give every function of the module at PATH its code in CHANGED; or raise NeedsImport, and do nothing."""
    old, new = compile(source, path, "exec"), compile(changed, path, "exec")
    pairs = list(changed_functions(old, new))
    live: dict[CodeType, list[FunctionType]] = {}
    for one in gc.get_objects():
        if type(one) is FunctionType and one.__code__.co_filename == path:
            live.setdefault(one.__code__, []).append(one)
    if not pairs or any(before not in live for before, _ in pairs):
        raise NeedsImport
    if any(before.co_freevars != after.co_freevars for before, after in pairs):
        raise NeedsImport
    for before, after in pairs:
        for function in live[before]:
            function.__code__ = after


def changed_functions(old: CodeType, new: CodeType) -> list[tuple[CodeType, CodeType]]:
    """The outermost functions in which two bodies of modules differ; they must differ in nothing else."""
    if shell(old) != shell(new):
        raise NeedsImport
    found = []
    for before, after in zip(nested(old), nested(new), strict=True):
        if before == after:
            continue
        if before.co_flags & inspect.CO_OPTIMIZED:
            found.append((before, after))
        else:
            found += changed_functions(before, after)
    return found


def nested(code: CodeType) -> list[CodeType]:
    return [one for one in code.co_consts if isinstance(one, CodeType)]


def shell(code: CodeType) -> CodeType:
    """The code without the code inside it."""
    rest = tuple(None if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(co_consts=rest)
