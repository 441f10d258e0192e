"""The text of a lambda, for a runnable's repr."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def lambda_source(function: Callable[..., Any]) -> str:
    """Return the source of a lambda, the name of a function, or ``...`` where neither is known."""
    name = getattr(function, "__name__", "<lambda>")
    fallback = "..." if name == "<lambda>" else str(name)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (SyntaxError, TypeError, OSError, ValueError):
        return fallback
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    return ast.unparse(found[0]) if len(found) == 1 else fallback
