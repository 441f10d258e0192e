"""Handlers: what may serve as one, what its hooks are given, and what their failures do."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from ways import CALLS, Way, captured_cleanly, every_way, traces

from otelbridge import (
    AsyncCallbackHandler,
    BaseCallbackHandler,
    CallbackHandler,
    CallbackManager,
    ConfigurationError,
    Runnable,
    RunnableLambda,
    adispatch_custom_event,
    as_handler,
    dispatch_custom_event,
    start_run,
    tool,
)
from otelbridge.handlers import HOOKS, hook_names, hooks_of, ignore_flag

ID = UUID(int=7)
GIVEN = {"run_id": ID, "tags": ["t"], "metadata": {"k": 1}}


def told(handler: Any, name: str = "load", data: Any = 5) -> Any:
    """Tell a handler of a custom event, as a run does."""
    return as_handler(handler).on_custom_event(name, data, **GIVEN)


def dispatching(x: Any) -> Any:
    """A body that dispatches two events."""
    dispatch_custom_event("one", {"x": x})
    dispatch_custom_event("two", x)
    return x


# ---------------------------------------------------------------------- functions


def keyword_only(*, data: Any, metadata: Any) -> Any:
    return data, metadata


def with_rest(name: Any, **rest: Any) -> Any:
    return name, rest


def some_and_rest(name: Any, data: Any, run_id: Any, **rest: Any) -> Any:
    return name, data, run_id, rest


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda: "nothing", "nothing"),
        (lambda name: name, "load"),
        (lambda data: data, 5),
        (lambda name, data: (name, data), ("load", 5)),
        (lambda data, name: (data, name), (5, "load")),
        (lambda metadata, run_id: (metadata, run_id), ({"k": 1}, ID)),
        (lambda name, data, run_id, tags, metadata: (run_id, tags), (ID, ["t"])),
        (lambda what, value: (what, value), ("load", 5)),
        (lambda what, value, mine="own": (what, value, mine), ("load", 5, "own")),
        (lambda name, data=None: (name, data), ("load", 5)),
        (lambda a, b, c, d, e: (a, b, c, d, e), ("load", 5, ID, ["t"], {"k": 1})),
        (lambda *values: values, ("load", 5, ID, ["t"], {"k": 1})),
        (keyword_only, (5, {"k": 1})),
        (with_rest, ("load", {"data": 5, **GIVEN})),
        (some_and_rest, ("load", 5, ID, {"tags": ["t"], "metadata": {"k": 1}})),
        (partial(lambda own, name, data: (own, name, data), "own"), ("own", "load", 5)),
    ],
)
def test_function_gets_what_it_declares(function: Callable[..., Any], given: Any) -> None:
    """Names that are known are filled by name, others by position; defaults of its own stay."""
    assert told(function) == given
    assert told({"handle_custom_event": function}) == given


def test_bound_method_is_a_function() -> None:
    """Its self is no parameter, and one method of one object is one handler."""

    class Notes:
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def take(self, name: str, data: Any) -> None:
            self.seen.append((name, data))

    notes = Notes()
    told(notes.take)
    assert notes.seen == [("load", 5)]
    assert as_handler(notes.take) == as_handler(notes.take)
    assert hash(as_handler(notes.take)) == hash(as_handler(notes.take))
    manager = CallbackManager([notes.take, notes.take])
    assert len(manager.handlers) == 1


def test_callable_object_is_a_function() -> None:
    """What can be called and has no hook gets custom events."""

    class Callable_:
        def __call__(self, name: str, data: Any) -> Any:
            return name, data

    assert told(Callable_()) == ("load", 5)


async def test_async_function_gives_what_is_awaited() -> None:
    """A coroutine function stays one."""

    async def note(data: Any) -> Any:
        return data

    adapter = as_handler(note)
    assert asyncio.iscoroutinefunction(adapter.on_custom_event)
    assert await told(note) == 5


# ---------------------------------------------------------------------- mappings and objects


@pytest.mark.parametrize(
    ("key", "hook"),
    [
        *((f"handle_{hook}", hook) for hook in HOOKS),
        *((f"on_{hook}", hook) for hook in HOOKS),
        ("handleCustomEvent", "custom_event"),
        ("handleChainStart", "chain_start"),
        ("handleChatModelStart", "chat_model_start"),
        ("handleLLMNewToken", "llm_new_token"),
        ("handleLLMStart", "llm_start"),
        ("handleLlmStart", "llm_start"),
        ("handleLlmEnd", "llm_end"),
        ("handleLlmError", "llm_error"),
    ],
)
def test_mapping_names_each_hook(key: str, hook: str) -> None:
    """Keys are handle_*, its camelCase, or on_*; each serves its hook and no other."""
    handler = as_handler({key: lambda *values: values})
    assert [name for name in HOOKS if hooks_of([handler], name)] == [hook]
    count = len(HOOKS[hook][0])
    assert getattr(handler, f"on_{hook}")(*range(count))[:count] == tuple(range(count))


def test_mapping_may_hold_flags() -> None:
    """raise_error and ignore_* keys are the handler's."""
    handler = as_handler(
        {"handle_custom_event": print, "raise_error": True, "ignore_custom_event": 1}
    )
    assert (handler.raise_error, handler.ignore_custom_event) == (True, True)
    assert handler.ignore_chain is False


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"handle_custom_evnt": print}, "'handle_custom_evnt', which names no hook. Its keys may"),
        ({"handle_custom_event": 5}, "has 5 under 'handle_custom_event'; it must be a function"),
        (5, "5 cannot be a callback handler. Pass an object with on_"),
        (None, "None cannot be a callback handler"),
        ("text", "'text' cannot be a callback handler"),
        (BaseCallbackHandler, r"Pass an instance of it: BaseCallbackHandler\(\)"),
        (CallbackHandler, r"Pass an instance of it: CallbackHandler\(\)"),
    ],
)
def test_what_is_no_handler_is_refused(source: Any, message: str) -> None:
    """The error says what was passed and what to pass instead."""
    with pytest.raises(ConfigurationError, match=message):
        as_handler(source)
    with pytest.raises(ConfigurationError, match=message):
        RunnableLambda(str).invoke(1, {"callbacks": [source]})


@pytest.mark.parametrize("base", [object, CallbackHandler])
@pytest.mark.parametrize("camel", [False, True])
def test_object_with_handle_methods_gets_what_they_declare(base: type, camel: bool) -> None:
    """Either spelling, any parameters, with or without the base class."""

    class Snake(base):  # type: ignore[misc]
        def handle_custom_event(self, name: str) -> Any:
            return name

        def handle_chain_end(self, outputs: Any, *, run_id: UUID) -> Any:
            return outputs, run_id

    class Camel(base):  # type: ignore[misc]
        def handleCustomEvent(self, name: str) -> Any:
            return name

        def handleChainEnd(self, outputs: Any, *, run_id: UUID) -> Any:
            return outputs, run_id

    source = Camel() if camel else Snake()
    handler = as_handler(source)
    assert told(source) == "load"
    assert handler.on_chain_end("out", run_id=ID, parent_run_id=None, tags=[]) == ("out", ID)
    assert hook_names([handler]) >= {"on_custom_event", "on_chain_end"}
    assert not hooks_of([handler], "chain_start")
    assert repr(handler) == f"as_handler({source!r})"


def test_snake_case_wins_over_camel_case() -> None:
    """An object with both spellings of a hook is called once, by the first."""

    class Both:
        def handle_custom_event(self, name: str) -> str:
            return f"snake {name}"

        def handleCustomEvent(self, name: str) -> str:
            return f"camel {name}"

    assert told(Both()) == "snake load"
    assert told({"handleCustomEvent": Both().handleCustomEvent}) == "camel load"


@pytest.mark.parametrize("kind", ["instance", "static", "class", "getattr", "replaced"])
def test_hooks_are_found_wherever_they_are(kind: str) -> None:
    """On the instance, as static or class method, by __getattr__, or put over the class's own."""

    class Static:
        @staticmethod
        def handle_custom_event(name: str, data: Any) -> Any:
            return name, data

    class OfClass:
        @classmethod
        def handle_custom_event(cls, name: str, data: Any) -> Any:
            return name, data

    class Lazy:
        def handle_chain_end(self, outputs: Any) -> None: ...

        def __getattr__(self, name: str) -> Any:
            if name == "handle_custom_event":
                return lambda name, data: (name, data)
            raise AttributeError(name)

    class Plain:
        def handle_custom_event(self) -> None: ...

    replaced = Plain()
    replaced.handle_custom_event = lambda name, data: (name, data)  # type: ignore[method-assign]
    source = {
        "instance": SimpleNamespace(handle_custom_event=lambda name, data: (name, data)),
        "static": Static(),
        "class": OfClass(),
        "getattr": Lazy(),
        "replaced": replaced,
    }[kind]
    assert told(source) == ("load", 5)


def test_on_hooks_set_on_an_instance_are_served() -> None:
    """An object that got its on_* hook by assignment is a handler as it is."""
    source = SimpleNamespace(on_custom_event=lambda *args, **kwargs: args)
    assert as_handler(source) is source
    assert told(source) == ("load", 5)
    assert [call for _, call, _ in hooks_of([source], "custom_event")] == [source.on_custom_event]


def test_raise_error_of_an_object_may_change() -> None:
    """The adapter of an object says what the object says now; flags of a class hold too."""

    class Source:
        def handle_custom_event(self, name: str) -> None: ...

    class Flagged:
        raise_error = ignore_chain = True

        def handle_custom_event(self, name: str) -> None: ...

    source = Source()
    handler = as_handler(source)
    assert handler.raise_error is False
    source.raise_error = True  # type: ignore[attr-defined]
    assert handler.raise_error is True
    assert (as_handler(Flagged()).raise_error, as_handler(Flagged()).ignore_chain) == (True, True)


def test_handlers_in_langchains_form_are_themselves() -> None:
    """A subclass of the base, and any class with an on_* method, needs no adapter."""

    class Duck:
        def on_custom_event(self, *args: Any, **kwargs: Any) -> None: ...

    for source in (BaseCallbackHandler(), AsyncCallbackHandler(), Duck()):
        assert as_handler(source) is source
    adapter = as_handler({"handle_custom_event": print})
    assert as_handler(adapter) is adapter


def test_adapters_of_one_source_are_one_handler() -> None:
    """They are equal to each other and to nothing else, and are pickled by their source."""
    source = {"handle_custom_event": print}
    assert as_handler(source) == as_handler(source)
    assert as_handler(source) != as_handler(dict(source))
    assert as_handler(source) != source
    assert len({as_handler(print), as_handler(print)}) == 1
    assert pickle.loads(pickle.dumps(as_handler(print))).source is print


def test_types_without_end_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of types is bounded, and asked again where it was forgotten."""
    monkeypatch.setattr("otelbridge.handlers._MOST_TYPES", 2)
    for number in range(5):
        kind = type(f"T{number}", (), {"handle_custom_event": lambda self, name, data: data})
        assert told(kind(), data=number) == number
        assert hooks_of([as_handler(kind())], "custom_event")


def test_each_hook_has_its_flag() -> None:
    """The ignore flags are langchain-core's."""
    assert {hook: ignore_flag(hook) for hook in HOOKS} == {
        "custom_event": "ignore_custom_event",
        "chain_start": "ignore_chain",
        "chain_end": "ignore_chain",
        "chain_error": "ignore_chain",
        "tool_start": "ignore_agent",
        "tool_end": "ignore_agent",
        "tool_error": "ignore_agent",
        "retriever_start": "ignore_retriever",
        "retriever_end": "ignore_retriever",
        "retriever_error": "ignore_retriever",
        "llm_start": "ignore_llm",
        "chat_model_start": "ignore_chat_model",
        "llm_new_token": "ignore_llm",
        "llm_end": "ignore_llm",
        "llm_error": "ignore_llm",
        "stream_chunk": "ignore_chain",
    }


@pytest.mark.parametrize("base", [BaseCallbackHandler, AsyncCallbackHandler])
def test_base_class_serves_no_hook(base: type) -> None:
    """Its hooks do nothing when called, and are never called."""
    handler = base()
    assert hook_names([handler]).isdisjoint({f"on_{hook}" for hook in HOOKS})
    for hook, (positional, _) in HOOKS.items():
        assert getattr(handler, f"on_{hook}")(*positional, run_id=ID) is None


# ---------------------------------------------------------------------- in runs


def all_forms(seen: list[Any]) -> dict[str, Any]:
    """A handler for custom events in each form."""

    class Methods:
        def handle_custom_event(self, name: str, data: Any) -> None:
            seen.append((name, data))

    class AsyncMethods:
        async def handle_custom_event(self, name: str, data: Any) -> None:
            await asyncio.sleep(0)
            seen.append((name, data))

    class Upstream(BaseCallbackHandler):
        def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            seen.append((name, data))

    class AsyncUpstream(AsyncCallbackHandler):
        async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            await asyncio.sleep(0)
            seen.append((name, data))

    async def coroutine(name: str, data: Any) -> None:
        await asyncio.sleep(0)
        seen.append((name, data))

    def function(name: str, data: Any) -> None:
        seen.append((name, data))

    return {
        "methods": Methods(),
        "async methods": AsyncMethods(),
        "upstream": Upstream(),
        "async upstream": AsyncUpstream(),
        "mapping": {"handleCustomEvent": function},
        "async mapping": {"handle_custom_event": coroutine},
        "function": function,
        "coroutine function": coroutine,
    }


@every_way
@pytest.mark.parametrize("form", list(all_forms([])))
def test_handler_of_any_form_gets_events_in_any_way(way: Way, form: str) -> None:
    """Each event once, in order, the data itself, all before the call returns."""
    seen: list[Any] = []
    with captured_cleanly() as captured:
        assert way(RunnableLambda(dispatching), 3, {"callbacks": [all_forms(seen)[form]]}) == 3
    assert seen == [("one", {"x": 3}), ("two", 3)]
    assert traces(captured) == ["dispatching *one *two"]


@every_way
def test_hooks_of_a_run_are_told_in_order(way: Way) -> None:
    """Start, event, end with the names that HOOKS has; parents by id."""
    seen: list[Any] = []

    class Notes:
        def handle_chain_start(self, run_id: Any, parent_run_id: Any, name: Any) -> None:
            seen.append(("start", name, parent_run_id, run_id))

        def handle_custom_event(self, name: Any, run_id: Any, tags: Any, metadata: Any) -> None:
            seen.append((name, tags, metadata, run_id))

        def handle_chain_end(self, outputs: Any, run_id: Any) -> None:
            seen.append(("end", outputs, run_id))

    config = {"callbacks": [Notes()], "tags": ["t"], "metadata": {"k": 1}}
    with captured_cleanly():
        way(RunnableLambda(dispatching), 3, config)
    run_id = seen[0][-1]
    assert seen == [
        ("start", "dispatching", None, run_id),
        ("one", ["t"], {"k": 1}, run_id),
        ("two", ["t"], {"k": 1}, run_id),
        ("end", 3, run_id),
    ]


each_call = pytest.mark.parametrize("way", CALLS, ids=lambda way: way.__name__)


@each_call
def test_ignored_hooks_are_not_called(way: Way) -> None:
    """A flag switches its hooks off, also where it is set on the instance alone."""
    seen: list[str] = []

    class Notes(BaseCallbackHandler):
        def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            seen.append("start")

        def on_custom_event(self, *args: Any, **kwargs: Any) -> None:
            seen.append("event")

    class NoChain(Notes):
        ignore_chain = True

    no_events = Notes()
    no_events.ignore_custom_event = True
    way(RunnableLambda(dispatching), 1, {"callbacks": [NoChain(), no_events]})
    assert seen == ["start", "event", "event"]


@every_way
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_failing_handler_is_logged_once_and_the_others_go_on(
    way: Way, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The run has its result and its trace, and a handler behind the failing one its events."""
    seen: list[Any] = []

    def fail(name: str) -> None:
        raise ValueError("handler")

    async def afail(name: str) -> None:
        raise ValueError("handler")

    callbacks = [afail if is_async else fail, lambda name: seen.append(name)]
    with captured_cleanly() as captured, caplog.at_level(logging.WARNING, "otelbridge"):
        assert way(RunnableLambda(dispatching), 3, {"callbacks": callbacks}) == 3
    assert seen == ["one", "two"]
    assert traces(captured) == ["dispatching *one *two"]
    assert len(caplog.records) == 1
    assert "failed in on_custom_event; the run goes on" in caplog.text
    assert "ValueError: handler" in caplog.text


@each_call
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("hook", ["custom_event", "chain_start", "chain_end"])
def test_raise_error_raises_in_the_run(
    way: Way, is_async: bool, hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The exception comes out of the call, and the run's span has it."""

    def fail() -> None:
        raise ValueError("handler")

    async def afail() -> None:
        raise ValueError("handler")

    handler = {f"handle_{hook}": afail if is_async else fail, "raise_error": True}
    with captured_cleanly() as captured, caplog.at_level(logging.WARNING, "otelbridge"):
        with pytest.raises(ValueError, match="handler"):
            way(RunnableLambda(dispatching), 3, {"callbacks": [handler]})
    assert "it is raised in the run" in caplog.text
    assert captured.names == ["dispatching"]
    assert captured.find("dispatching").status.status_code.name == "ERROR"


async def test_raise_error_of_an_awaited_dispatch() -> None:
    """adispatch_custom_event raises what the handler raised."""

    async def fail(name: str) -> None:
        raise ValueError(name)

    async def body(x: Any) -> Any:
        with pytest.raises(ValueError, match="one"):
            await adispatch_custom_event("one", 1)
        return x

    handler = {"handle_custom_event": fail, "raise_error": True}
    with captured_cleanly() as captured:
        assert await RunnableLambda(body).ainvoke(1, {"callbacks": [handler]}) == 1
    assert traces(captured) == ["body *one"]


def test_failures_of_unhashable_handlers_are_known_by_place(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler without a hash is reported once too, and the memory of that is bounded."""
    monkeypatch.setattr("otelbridge.handlers._MOST_TYPES", 2)
    monkeypatch.setattr("otelbridge.handlers._reported_ids", {})

    class Unhashable(BaseCallbackHandler):
        __hash__ = None  # type: ignore[assignment]

        def on_custom_event(self, *args: Any, **kwargs: Any) -> None:
            raise ValueError("no")

    first, second, third = Unhashable(), Unhashable(), Unhashable()
    with caplog.at_level(logging.WARNING, "otelbridge"):
        for handler in (first, first, second, third):
            RunnableLambda(dispatching).invoke(1, {"callbacks": [handler]})
    assert [record.args and record.args[0] for record in caplog.records] == ["Unhashable"] * 3


def test_failure_of_a_new_handler_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A mapping or object that lies where a failed one lay before is not taken for it."""

    class Unhashable(BaseCallbackHandler):
        __hash__ = None  # type: ignore[assignment]

        def on_custom_event(self, *args: Any, **kwargs: Any) -> None:
            raise ValueError("no")

    def failing() -> Callable[[], None]:
        def fail() -> None:
            raise ValueError("no")

        return fail

    with caplog.at_level(logging.WARNING, "otelbridge"):
        for _ in range(3):
            RunnableLambda(dispatching).invoke(
                1, {"callbacks": [{"handle_custom_event": failing()}]}
            )
            RunnableLambda(dispatching).invoke(1, {"callbacks": [Unhashable()]})
    assert len(caplog.records) == 6


def test_failure_of_a_new_mapping_of_one_function_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A mapping written into each call is one handler to the log."""

    def fail() -> None:
        raise ValueError("no")

    with caplog.at_level(logging.WARNING, "otelbridge"):
        for _ in range(3):
            RunnableLambda(dispatching).invoke(1, {"callbacks": [{"handleCustomEvent": fail}]})
    assert len(caplog.records) == 1


@each_call
def test_one_handler_listed_twice_is_called_once(way: Way) -> None:
    """In one list, and in the lists of a run and of one below it."""
    seen: list[Any] = []

    def note(name: str) -> None:
        seen.append(name)

    inner = RunnableLambda(dispatching).with_config(callbacks=[note])
    outer = inner | RunnableLambda(lambda x: x)
    way(outer, 1, {"callbacks": [note, note]})
    assert seen == ["one", "two"]


def test_tool_and_stream_hooks_take_what_they_declare() -> None:
    """handle_tool_start, handle_tool_end and handle_stream_chunk."""
    seen: list[Any] = []

    @tool
    def double(x: int) -> int:
        """Double."""
        return 2 * x

    class Notes:
        def handle_tool_start(self, serialized: Any, input_str: str) -> None:
            seen.append((serialized["name"], input_str))

        def handle_tool_end(self, output: Any) -> None:
            seen.append(output)

        def handle_stream_chunk(self, chunk: Any) -> None:
            seen.append(("chunk", chunk))

    double.invoke({"x": 2}, {"callbacks": [Notes()]})
    list(RunnableLambda(str).stream(1, {"callbacks": [Notes()]}))
    assert seen == [("double", "{'x': 2}"), 4, ("chunk", "1")]


def test_error_hook_gets_the_exception_itself() -> None:
    """By reference, before the span has ended."""
    seen: list[Any] = []
    error = ValueError("no")

    def fail(x: Any) -> Any:
        raise error

    with pytest.raises(ValueError, match="no"):
        RunnableLambda(fail).invoke(1, {"callbacks": [{"handle_chain_error": seen.append}]})
    assert seen == [error]


def test_handler_may_invoke_runnables_itself() -> None:
    """What a handler runs is a run below the one that it is told of."""
    seen: list[Any] = []

    def note(name: str) -> None:
        seen.append(RunnableLambda(str).invoke(name))

    with captured_cleanly() as captured:
        with start_run("job", config={"callbacks": [note]}) as run:
            run.event("e", None)
    assert seen == ["e"]
    assert traces(captured) == ["job *e", "  str"]


def test_every_method_of_a_runnable_takes_callbacks() -> None:
    """A subclass with invoke alone tells handlers of what it dispatches."""
    seen: list[Any] = []

    class Mine(Runnable[Any, Any]):
        def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
            with start_run("mine", config=config):
                dispatch_custom_event("from mine", input)
            return input

    Mine().invoke(1, {"callbacks": [lambda name, data: seen.append((name, data))]})
    assert seen == [("from mine", 1)]
