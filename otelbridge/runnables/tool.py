"""Tools made of functions: the class ``Tool`` and the decorator ``tool``."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, overload

from otelbridge.config import RunnableConfig
from otelbridge.runnables._base_tool import BaseTool, ToolException
from otelbridge.runnables._tool_arguments import read_docstring
from otelbridge.runnables._tool_message import ToolMessage
from otelbridge.runnables.base import Runnable

__all__ = ["BaseTool", "Tool", "ToolException", "ToolMessage", "tool"]


class Tool(BaseTool):
    """A function as a tool; what the decorator ``tool`` makes.

    Args:
        name: told to callers, like ``description``.
        func: the sync function, or None where there is only a coroutine function.
        coroutine: the async form.
        **fields: as for ``BaseTool``.
    """

    _fields = ("name", "description", "func", "coroutine")

    func: Callable[..., Any] | None = None
    coroutine: Callable[..., Awaitable[Any]] | None = None

    def __init__(
        self,
        name: str,
        func: Callable[..., Any] | None,
        description: str = "",
        *,
        coroutine: Callable[..., Awaitable[Any]] | None = None,
        **fields: Any,
    ) -> None:
        if func is None and coroutine is None:
            raise ValueError("Function and/or coroutine must be provided")
        super().__init__(
            name=name, description=description, func=func, coroutine=coroutine, **fields
        )

    @property
    def _sync(self) -> Callable[..., Any] | None:
        return self.func

    @property
    def _async(self) -> Callable[..., Awaitable[Any]] | None:
        return self.coroutine

    @classmethod
    def from_function(
        cls,
        func: Callable[..., Any] | None = None,
        coroutine: Callable[..., Awaitable[Any]] | None = None,
        name: str | None = None,
        description: str | None = None,
        *,
        parse_docstring: bool = False,
        **fields: Any,
    ) -> Tool:
        """Make a tool of a function; its name and docstring serve where none is given.

        Args:
            parse_docstring: read a Google-style docstring: the text before its sections is the
                description, its ``Args`` describe the arguments.

        Raises:
            ValueError: there is no function, no description, or a docstring that cannot be parsed.
        """
        function = func or coroutine
        if function is None:
            raise ValueError("Function and/or coroutine must be provided")
        text = inspect.cleandoc(function.__doc__ or "")
        described: dict[str, str] = {}
        if parse_docstring:
            text, described = read_docstring(text, function)
        if not (description or text):
            raise ValueError(
                f"Function must have a docstring if description not provided: {function!r}"
            )
        return cls(
            name or function.__name__,
            func,
            description or text,
            coroutine=coroutine,
            described=described,
            **fields,
        )


@overload
def tool(name_or_callable: Callable[..., Any], **fields: Any) -> Tool: ...


@overload
def tool(name_or_callable: str, runnable: Runnable[Any, Any], **fields: Any) -> Tool: ...


@overload
def tool(
    name_or_callable: str | None = None, **fields: Any
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(
    name_or_callable: str | Callable[..., Any] | None = None,
    runnable: Runnable[Any, Any] | None = None,
    **fields: Any,
) -> Any:
    """Make a tool of a function, or of a runnable that takes a dict.

    >>> @tool
    ... def multiply(a: int, b: int = 2) -> int:
    ...     "Multiply two numbers."
    ...     return a * b
    >>> multiply.invoke({"a": 21})
    42
    >>> multiply.args
    {'a': {'title': 'A', 'type': 'integer'}, 'b': {'title': 'B', 'type': 'integer', 'default': 2}}

    Args:
        name_or_callable: the function (``@tool``) or the tool's name (``@tool("name")``); left
            out when there are only options (``@tool(return_direct=True)``).
        runnable: as in ``tool("name", runnable)``.
        **fields: ``description``, ``parse_docstring`` and the fields of ``BaseTool``.

    Returns:
        The tool, or a decorator that makes it.

    Raises:
        ValueError: the first argument is neither, or there is no description.
    """
    if runnable is not None:
        if not isinstance(name_or_callable, str):
            raise ValueError(f"A runnable needs a name: tool('name', runnable); got {runnable!r}")
        return _of(runnable, name_or_callable, fields)
    if name_or_callable is None or isinstance(name_or_callable, str):
        return lambda source: _of(source, name_or_callable, fields)
    if callable(name_or_callable) and hasattr(name_or_callable, "__name__"):
        return _of(name_or_callable, None, fields)
    raise ValueError(
        "The first argument must be a string or a callable with a __name__ for tool decorator. "
        f"Got {type(name_or_callable)}"
    )


def _of(source: Any, name: str | None, fields: dict[str, Any]) -> Tool:
    if isinstance(source, Runnable):
        return _of_runnable(source, name, fields)
    if inspect.iscoroutinefunction(source):
        return Tool.from_function(None, source, name, **fields)
    return Tool.from_function(source, None, name, **fields)


def _of_runnable(runnable: Runnable[Any, Any], name: str | None, fields: dict[str, Any]) -> Tool:
    def call(config: RunnableConfig, **arguments: Any) -> Any:
        return runnable.invoke(arguments, config)

    async def acall(config: RunnableConfig, **arguments: Any) -> Any:
        return await runnable.ainvoke(arguments, config)

    fields = {"description": repr(runnable), **fields}
    return Tool.from_function(call, acall, name or runnable.get_name(), **fields)
