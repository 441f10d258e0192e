"""What a tool's function takes: its arguments described, and what is injected into it."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal, Union

_INJECTED = ("run_manager", "callbacks")
_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    bytes: {"type": "string", "format": "binary"},
    None: {"type": "null"},
    type(None): {"type": "null"},
}
_EMPTY = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class ToolArguments:
    """The arguments of a tool's function.

    Attributes:
        shown: each argument that callers give, described as in a JSON schema's properties.
        config: the parameter that the run config is injected into, if any.
        injected: which of ``run_manager`` and ``callbacks`` it takes.
        open: whether it takes any further argument by name.
    """

    shown: dict[str, dict[str, Any]]
    config: str | None = None
    injected: tuple[str, ...] = ()
    open: bool = False

    def visible(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a caller has given, without what is injected anyway."""
        return {k: v for k, v in given.items() if k not in _INJECTED and k != self.config}

    def accepted(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return of what a caller has given that which the function takes."""
        visible = self.visible(given)
        return visible if self.open else {k: v for k, v in visible.items() if k in self.shown}


def tool_arguments(function: Callable[..., Any], described: Mapping[str, str]) -> ToolArguments:
    """Read the signature of ``function``; ``described`` has descriptions of its arguments."""
    parameters = inspect.signature(function).parameters
    hints = _hints(function)
    shown: dict[str, dict[str, Any]] = {}
    config = None
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        hint = hints.get(name, parameter.annotation)
        if name == "config" or _is_config(hint):
            config = name
        elif name not in _INJECTED:
            shown[name] = _described(name, hint, parameter.default, described.get(name))
    return ToolArguments(
        shown,
        config,
        tuple(name for name in _INJECTED if name in parameters),
        any(each.kind is each.VAR_KEYWORD for each in parameters.values()),
    )


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(getattr(function, "__func__", function), include_extras=True)
    except Exception:  # a name that exists only where the function was made: raw annotations then
        return {}


def _is_config(hint: Any) -> bool:
    # By name: langchain-core's own RunnableConfig is as good as ours.
    text = hint if isinstance(hint, str) else f"{getattr(hint, '__name__', '')} {hint!r}"
    return "RunnableConfig" in text


def _described(name: str, hint: Any, default: Any, text: str | None) -> dict[str, Any]:
    about = {"title": name.replace("_", " ").title(), **_schema(hint)}
    if default is not _EMPTY:
        about["default"] = default
    text = text or next((note for note in _notes(hint) if isinstance(note, str)), None)
    if text:
        about["description"] = text
    return about


def _notes(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint)[1:] if typing.get_origin(hint) is typing.Annotated else ()


def _schema(hint: Any) -> dict[str, Any]:
    """Return the JSON schema of a type, as far as it has a plain one; else of anything."""
    if isinstance(hint, (str, typing.TypeVar)) or hint is Any or hint is _EMPTY:
        return {}
    if isinstance(hint, type(None)) or (isinstance(hint, type) and hint in _SCALARS):
        return dict(_SCALARS[hint])
    origin, parts = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is typing.Annotated:
        return _schema(parts[0])
    if origin is Union or origin is types.UnionType:
        return {"anyOf": [_schema(part) for part in parts]}
    if origin is Literal:
        kinds = {type(part) for part in parts}
        return {"enum": list(parts), **(_schema(kinds.pop()) if len(kinds) == 1 else {})}
    if not isinstance(origin, type):
        return {}
    if issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(parts[1]) if parts else True}
    if issubclass(origin, tuple) and parts and parts[-1] is not Ellipsis:
        items = [_schema(part) for part in parts]
        count = len(items)
        return {"type": "array", "prefixItems": items, "minItems": count, "maxItems": count}
    if issubclass(origin, (Sequence, Set)):
        unique = {"uniqueItems": True} if issubclass(origin, Set) else {}
        return {"type": "array", "items": _schema(parts[0]) if parts else {}, **unique}
    return {}


_SECTION = re.compile(r"^(Args|Arguments|Returns|Raises|Yields|Examples?|Notes?|Attributes):\s*$")
_ARGUMENT = re.compile(r"^(\*{0,2}\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


def read_docstring(doc: str, function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return the text before the sections of a Google-style docstring, and its ``Args``.

    Raises:
        ValueError: it has no ``Args`` section, or describes an argument that there is none of.
    """
    sections: dict[str, list[str]] = {"": []}
    lines = sections[""]
    for line in doc.splitlines():
        heading = _SECTION.match(line)
        if heading is None:
            lines.append(line)
        else:
            lines = sections.setdefault(heading[1].replace("Arguments", "Args"), [])
    if "Args" not in sections:
        raise ValueError(f"Found invalid Google-Style docstring: no 'Args:' section in {doc!r}.")
    described = _arguments(sections["Args"])
    unknown = described.keys() - inspect.signature(function).parameters.keys()
    if unknown:
        raise ValueError(
            f"Arg {', '.join(sorted(unknown))} in docstring not found in function signature."
        )
    return " ".join(" ".join(sections[""]).split()), described


def _arguments(lines: list[str]) -> dict[str, str]:
    described: dict[str, str] = {}
    name, margin = "", None
    for line in lines:
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        margin = indent if margin is None else margin
        start = _ARGUMENT.match(line.strip()) if indent <= margin else None
        if start:
            name = start[1].lstrip("*")
            described[name] = start[2].strip()
        elif name:
            described[name] = f"{described[name]} {line.strip()}".strip()
    return described
