"""Defaults of scikit-learn's parameters, read from its source: nothing is imported to know them.

Between versions parameters come and go. One that only one of two versions knows, and that has its default,
says nothing about the model.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_LARGEST = 4 << 20
_PACKAGE = "sklearn"
MISSING = object()


def default_of(class_name: str, parameter: str) -> Any:
    """Give the default of *parameter* of the installed class (``sklearn.linear_model._base.Ridge``).

    ``MISSING`` where the class or the parameter is not there, or the default is no literal.
    """
    module, _, name = class_name.rpartition(".")
    return _defaults(module, name).get(parameter, MISSING)


@lru_cache(maxsize=64)
def _defaults(module: str, name: str) -> dict[str, Any]:
    path = _source_of(module)
    try:
        if path is None or path.stat().st_size > _LARGEST:
            return {}
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                    return _of_arguments(item.args)
    return {}


def _source_of(module: str) -> Path | None:
    parts = module.split(".")
    if parts[0] != _PACKAGE or not all(part.isidentifier() for part in parts):
        return None
    spec = find_spec(_PACKAGE)  # of a top-level package: it imports nothing
    if spec is None or not spec.submodule_search_locations:
        return None
    base = Path(spec.submodule_search_locations[0]).joinpath(*parts[1:])
    return base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"


def _of_arguments(args: ast.arguments) -> dict[str, Any]:
    plain = [*args.posonlyargs, *args.args]
    pairs: list[tuple[ast.arg, ast.expr | None]] = [
        *zip(plain[len(plain) - len(args.defaults) :], args.defaults, strict=True),
        *zip(args.kwonlyargs, args.kw_defaults, strict=True),
    ]
    found = {}
    for arg, default in pairs:
        try:
            if default is not None:
                found[arg.arg] = ast.literal_eval(default)
        except ValueError:
            continue
    return found
