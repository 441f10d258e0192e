"""What arguments a function declares: read once for each function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from ._record import Record


class Arguments(Record):
    """The parameters of a function, by kind, in their order.

    Attributes:
        positional: names of those that may be passed by position.
        keyword_only: names of those that may only be passed by name.
        var_positional: whether it takes ``*args``.
        var_keyword: whether it takes ``**kwargs``.
        config_name: the parameter that wants the run config (named ``config`` or annotated
            ``RunnableConfig``), if any.
        required: how many of the positional ones have no default.
    """

    __slots__ = (
        "positional",
        "keyword_only",
        "var_positional",
        "var_keyword",
        "config_name",
        "required",
    )

    def __init__(
        self,
        positional: tuple[str, ...] = (),
        keyword_only: tuple[str, ...] = (),
        var_positional: bool = False,
        var_keyword: bool = False,
        config_name: str | None = None,
        required: int = 0,
    ) -> None:
        self.positional = positional
        self.keyword_only = keyword_only
        self.var_positional = var_positional
        self.var_keyword = var_keyword
        self.config_name = config_name
        self.required = required

    def __contains__(self, name: object) -> bool:
        return name in self.positional or name in self.keyword_only


_UNKNOWN = Arguments(var_positional=True)
_read: WeakKeyDictionary[Any, Arguments] = WeakKeyDictionary()


def arguments_of(function: Callable[..., Any]) -> Arguments:
    """Return what ``function`` declares; for one without a signature, ``*args``.

    A bound method is looked up by its function, so that instances share one entry.
    """
    bound = inspect.ismethod(function)
    key = function.__func__ if inspect.ismethod(function) else function
    try:
        arguments = _read.get(key)
        if arguments is None:
            arguments = _read[key] = _arguments(key)
    except TypeError:  # neither hashable nor weakly referable: a partial, a builtin's wrapper
        arguments = _arguments(key)
    if bound and arguments is not _UNKNOWN:
        return without_self(arguments)
    return arguments


def without_self(arguments: Arguments) -> Arguments:
    return Arguments(
        arguments.positional[1:],
        arguments.keyword_only,
        arguments.var_positional,
        arguments.var_keyword,
        arguments.config_name,
        max(arguments.required - 1, 0),
    )


def _arguments(function: Callable[..., Any]) -> Arguments:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return _UNKNOWN
    kinds = inspect.Parameter
    return Arguments(
        tuple(
            p.name
            for p in parameters
            if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
        ),
        tuple(p.name for p in parameters if p.kind is kinds.KEYWORD_ONLY),
        any(p.kind is kinds.VAR_POSITIONAL for p in parameters),
        any(p.kind is kinds.VAR_KEYWORD for p in parameters),
        _config_name(list(parameters)),
        sum(
            p.default is p.empty
            for p in parameters
            if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
        ),
    )


def _config_name(parameters: list[inspect.Parameter]) -> str | None:
    unnamed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
    by_name = [p.name for p in parameters if p.name == "config" and p.kind not in unnamed]
    if by_name:
        return by_name[0]
    for parameter in parameters[1:]:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            continue
        annotation = parameter.annotation
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        if "RunnableConfig" in text or "RunnableConfig" in repr(annotation):
            return parameter.name
    return None
