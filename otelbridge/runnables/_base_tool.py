"""BaseTool: what is called by name with named arguments; its runs have the type ``tool``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, cast

from otelbridge.config import CONFIG_KEYS, RunnableConfig, run_in_executor
from otelbridge.manager import CallbackManager
from otelbridge.run import Run, abegin, begin
from otelbridge.runnables._fields import ByFields
from otelbridge.runnables._plan import Failed, afollow, answer_of, follow
from otelbridge.runnables._tool_arguments import ToolArguments, tool_arguments
from otelbridge.runnables._tool_message import ToolMessage, content_of
from otelbridge.runnables.base import Runnable

HandleToolError = bool | str | Callable[["ToolException"], Any]
ResponseFormat = Literal["content", "content_and_artifact"]


class ToolException(Exception):
    """A failure that a tool's caller may be told of; see ``BaseTool.handle_tool_error``."""

    __module__ = "otelbridge.tools"  # its public place: the name is that of the span's error.type


class _Given(NamedTuple):
    """What a tool was invoked with, whichever of the three forms it had."""

    input: Any
    call_id: str | None

    @classmethod
    def of(cls, value: Any) -> _Given:
        if isinstance(value, dict) and value.get("type") == "tool_call":
            return cls(dict(value["args"]), value["id"])
        return cls(value, None)


class BaseTool(ByFields, Runnable[Any, Any]):
    """A tool: derive from it and write ``_run``, ``_arun`` or both.

    Its input is the one argument as a string, a dict of arguments, or a tool call
    ``{"name": ..., "args": {...}, "id": ..., "type": "tool_call"}``; for the last its output is a
    ``ToolMessage``. A parameter annotated ``RunnableConfig`` or named ``config``,
    ``run_manager`` or ``callbacks`` is filled in and is no argument of the tool.

    Args:
        name: told to callers, like ``description``; subclasses may set both as class attributes.
        callbacks: handlers of this tool's runs alone, like ``tags`` and ``metadata``.
        handle_tool_error: what becomes of a ``ToolException``: raised (False), or returned as its
            message (True), as this text, or as what this function makes of it.
        response_format: ``content_and_artifact`` where the tool returns such a pair.
        described: descriptions of arguments, by name.
        return_direct: kept for compatibility, like ``extras``.
    """

    _fields: ClassVar[tuple[str, ...]] = ("name", "description")

    name: str  # pyright: ignore[reportIncompatibleVariableOverride] - a tool always has one
    description: str = ""
    callbacks: Any = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None
    handle_tool_error: HandleToolError | None = False
    response_format: ResponseFormat = "content"
    described: Mapping[str, str] = MappingProxyType({})
    return_direct: bool = False
    extras: dict[str, Any] | None = None

    def __init__(self, **fields: Any) -> None:
        for field, value in fields.items():
            if not hasattr(type(self), field) and field != "name":
                raise TypeError(f"{type(self).__name__} has no field {field!r}")
            setattr(self, field, value)
        if not isinstance(self.name, str):
            raise TypeError(f"a tool's name must be a string, not {self.name!r}")

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work; with only ``_arun`` written, the tool has no sync form."""
        raise NotImplementedError

    async def _arun(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work in async code; when not written, ``_run`` is called in a thread."""
        raise NotImplementedError

    @property
    def _sync(self) -> Callable[..., Any] | None:
        return self._run if type(self)._run is not BaseTool._run else None

    @property
    def _async(self) -> Callable[..., Awaitable[Any]] | None:
        return self._arun if type(self)._arun is not BaseTool._arun else None

    @cached_property
    def _sync_arguments(self) -> ToolArguments:
        return self._read(self._sync or self._async)

    @cached_property
    def _async_arguments(self) -> ToolArguments:
        return self._read(self._async or self._sync)

    def _read(self, function: Callable[..., Any] | None) -> ToolArguments:
        if function is None:
            raise NotImplementedError(f"{type(self).__name__} defines neither _run nor _arun")
        return tool_arguments(function, self.described)

    @property
    def args(self) -> dict[str, Any]:
        """The arguments by name, each described as in a JSON schema's properties."""
        return self._sync_arguments.shown

    @property
    def is_single_input(self) -> bool:
        """Whether the tool has exactly one argument."""
        return len(self.args) == 1

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Call the tool."""
        given = _Given.of(input)
        return self.run(given.input, config=config, tool_call_id=given.call_id, **kwargs)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Call the tool; a tool that has only a sync function is called in a thread."""
        given = _Given.of(input)
        return await self.arun(given.input, config=config, tool_call_id=given.call_id, **kwargs)

    def run(
        self,
        tool_input: Any,
        *,
        config: RunnableConfig | None = None,
        tool_call_id: str | None = None,
        **extra: Any,
    ) -> Any:
        """Call the tool with a string or a dict of arguments.

        Args:
            tool_input: the one argument, or arguments by name.
            config: of the run; keys of it may also be given by name (``run_name="..."``).
            tool_call_id: makes the output a ``ToolMessage``.
            **extra: anything else is passed to the handlers' hooks.

        Raises:
            ToolException: of the tool, unless ``handle_tool_error`` says otherwise.
        """
        config, text, told = self._opening(tool_input, config, tool_call_id, extra)
        function = self._sync

        def call(step: _Call) -> Any:
            if function is None:
                raise NotImplementedError(f"The tool {self.name!r} has no sync form: use ainvoke.")
            try:
                return function(*step.args, **step.kwargs)
            except ToolException as error:
                return Failed(error)

        run = begin(self.name, config, text, **told)
        try:
            plan = self._plan(_Given(tool_input, tool_call_id), run, self._sync_arguments)
            output = answer_of(run.enter(follow, plan, call))
        except BaseException as error:
            run.fail(error, tool_call_id=tool_call_id)
            raise
        run.end(output, name=self.name, **extra)
        return output

    async def arun(
        self,
        tool_input: Any,
        *,
        config: RunnableConfig | None = None,
        tool_call_id: str | None = None,
        **extra: Any,
    ) -> Any:
        """Call the tool in async code; otherwise as ``run``."""
        config, text, told = self._opening(tool_input, config, tool_call_id, extra)
        function = self._async or partial(run_in_executor, None, self._sync or self._run)

        async def call(step: _Call) -> Any:
            try:
                return await function(*step.args, **step.kwargs)
            except ToolException as error:
                return Failed(error)

        run = await abegin(self.name, config, text, **told)
        try:
            plan = self._plan(_Given(tool_input, tool_call_id), run, self._async_arguments)
            output = answer_of(await run.asteps(afollow(plan, call)))
        except BaseException as error:
            await run.afail(error, tool_call_id=tool_call_id)
            raise
        await run.aend(output, name=self.name, **extra)
        return output

    def _opening(
        self,
        tool_input: Any,
        config: RunnableConfig | None,
        tool_call_id: str | None,
        extra: dict[str, Any],
    ) -> tuple[RunnableConfig | None, str, dict[str, Any]]:
        """Return what a run begins with: its config, its input as text, what the hooks get."""
        by_name = {key: extra.pop(key) for key in CONFIG_KEYS if key in extra}
        if by_name:
            config = cast("RunnableConfig", {**(config or {}), **by_name})
        visible = self._sync_arguments.visible(tool_input) if isinstance(tool_input, dict) else None
        told = {
            **extra,
            "kind": "tool",
            "serialized": {"name": self.name, "description": self.description},
            "name": (config or {}).get("run_name"),
            "inputs": visible,
            "tool_call_id": tool_call_id,
        }
        return self._with_own(config), str(tool_input if visible is None else visible), told

    def _with_own(self, config: RunnableConfig | None) -> RunnableConfig | None:
        """Return the config with the tool's own handlers, tags and metadata, for its run alone."""
        if not (self.callbacks or self.tags or self.metadata):
            return config
        manager = CallbackManager.configure(
            (config or {}).get("callbacks"),
            self.callbacks,
            local_tags=self.tags,
            local_metadata=self.metadata,
        )
        return {**(config or {}), "callbacks": manager}

    def _plan(
        self, given: _Given, run: Run, arguments: ToolArguments
    ) -> Generator[_Call, Any, Any]:
        """The plan: call the function; its output, in the form that was asked for."""
        answer = yield self._call(given, run, arguments)
        artifact, status = None, "success"
        if isinstance(answer, Failed):
            if not self.handle_tool_error:
                return answer
            answer, status = _handled(answer.error, self.handle_tool_error), "error"
        elif self.response_format == "content_and_artifact":
            answer, artifact = _pair(answer)
        if given.call_id is None or isinstance(answer, ToolMessage):
            return answer
        return ToolMessage(content_of(answer), given.call_id, self.name, status, artifact)

    def _call(self, given: _Given, run: Run, arguments: ToolArguments) -> _Call:
        kwargs: dict[str, Any] = {}
        if arguments.config is not None:
            kwargs[arguments.config] = run.child_config()
        if "run_manager" in arguments.injected:
            kwargs["run_manager"] = run
        if "callbacks" in arguments.injected:
            kwargs["callbacks"] = run.get_child()
        if isinstance(given.input, dict):
            return _Call((), {**arguments.accepted(given.input), **kwargs})
        if isinstance(given.input, str):
            return _Call((given.input,) if arguments.shown else (), kwargs)
        raise TypeError(
            f"Invalid tool input type: {type(given.input)}. The tool {self.name!r} takes a string "
            "or a dict of arguments."
        )


class _Call(NamedTuple):
    """The step of a tool's plan: the function is to be called with these."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def _handled(error: BaseException, handle: HandleToolError) -> Any:
    if isinstance(handle, bool):
        return error.args[0] if error.args else "Tool execution error"
    return handle if isinstance(handle, str) else handle(cast("ToolException", error))


def _pair(response: Any) -> tuple[Any, Any]:
    if isinstance(response, tuple) and len(response) == 2:
        return response
    raise ValueError(
        "Since response_format='content_and_artifact' a two-tuple of the message content and raw "
        f"tool output is expected. Instead, generated response is of type: {type(response)}."
    )
