"""Putting the seams in place and taking them out: what is touched, when, and by whom."""

from __future__ import annotations

import asyncio
import logging
import threading
from importlib import import_module
from typing import Any

import pytest
from drawing import drawn
from forms import needs_context
from langchain_core import callbacks
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.llms import BaseLLM
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import BaseTool
from langchain_core.tracers import context as hooks
from langgraph._internal._runnable import RunnableCallable, RunnableSeq
from langgraph.pregel import Pregel
from opentelemetry.sdk.trace import TracerProvider
from subjects import Chat, Completion, Retriever, Tool, chain, graph, node
from traced import Traced
from ways import apart

from otelbridge import _run_ids, langchain
from otelbridge.langchain import _installed, _seams
from otelbridge.testing import capture_runs

CLASSES = (
    *(BaseTool, BaseRetriever, BaseChatModel, BaseLLM, Runnable),
    *(Pregel, RunnableCallable, RunnableSeq),
)


def _attributes() -> dict[tuple[str, str], Any]:
    """Everything that could be replaced."""
    owners = [import_module(name) for name in _seams.SEAMS] + list(CLASSES) + [hooks]
    found = {
        (owner.__name__, name): value for owner in owners for name, value in vars(owner).items()
    }
    found["hooks", "entries"] = tuple(map(id, hooks._configure_hooks))
    return {key: value for key, value in found.items() if not key[1].startswith("_abc_")}


def _differing(before: dict[Any, Any], after: dict[Any, Any]) -> set[tuple[str, str]]:
    assert before.keys() == after.keys()
    same = {key for key in before if before[key] is after[key]}
    same |= {key for key in before if key[1] == "entries" and before[key] == after[key]}
    return before.keys() - same


def _all_kinds(config: Any) -> None:
    (chain("one") | Tool() | chain("two")).with_config(run_name="steps").invoke("x", config)
    Chat().invoke("x", config)
    Completion().invoke("x", config)
    Retriever().invoke("x", config)
    graph(node("a")).invoke({"x": 1}, config)


ALL_KINDS = "steps\n  one\n  tool\n  two\nmodel\nmodel\nRetriever\ngraph\n  a\n    a body"


def test_uninstrument_puts_every_attribute_back() -> None:
    """After it, each is the identical object again, and a run makes no span."""
    before = _attributes()
    with capture_runs() as captured:
        for _ in range(2):
            langchain.instrument(tracer_provider=captured.provider)
            assert langchain.is_instrumented()
            assert len(_differing(before, _attributes())) >= 20
            _all_kinds({})
            assert drawn(captured) == ALL_KINDS
            captured.clear()
            langchain.uninstrument()
            assert not langchain.is_instrumented()
            assert _differing(before, _attributes()) == set()
        _all_kinds({})
        assert captured.spans == []
        captured.assert_clean()


def test_a_handler_alone_is_no_instrumentation() -> None:
    """It installs the seams; runs that do not hold it make no span and cost no dispatch."""
    before = _attributes()
    with capture_runs() as captured:
        handler = langchain.OtelCallbackHandler(tracer_provider=captured.provider)
        assert not langchain.is_instrumented()
        assert ("hooks", "entries") not in _differing(before, _attributes())
        _all_kinds({})
        assert captured.spans == []
        _all_kinds({"callbacks": [handler]})
        assert drawn(captured) == ALL_KINDS
        langchain.uninstrument()
    assert _differing(before, _attributes()) == set()


def test_the_context_manager_instruments_for_its_block() -> None:
    """Also where the block fails."""
    with capture_runs() as captured:
        with pytest.raises(LookupError):
            with langchain.instrumented(tracer_provider=captured.provider):
                chain().invoke(1)
                raise LookupError
        assert not langchain.is_instrumented()
        chain().invoke(1)
        assert drawn(captured) == "chain"


def test_a_second_call_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The same settings: nothing is said. Others: one clear warning, and the first ones stay."""
    with capture_runs() as captured:
        langchain.instrument(tracer_provider=captured.provider)
        patched = _attributes()
        langchain.instrument(tracer_provider=captured.provider)
        assert caplog.records == []
        langchain.instrument(tracer_provider=TracerProvider(), include_hidden=True)
        assert _differing(patched, _attributes()) == set()
        (record,) = caplog.records
        assert "call uninstrument() first" in record.getMessage()
        chain().invoke(1)
        langchain.uninstrument()
        assert drawn(captured) == "chain"
        langchain.uninstrument()  # once more does nothing


def test_many_threads_may_instrument_at_once() -> None:
    """Every attribute is replaced once, and put back as it was."""
    before = _attributes()
    with capture_runs() as captured:
        barrier = threading.Barrier(8)

        def together() -> None:
            barrier.wait()
            langchain.instrument(tracer_provider=captured.provider)
            chain().invoke(1)

        workers = [threading.Thread(target=together) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert drawn(captured) == "\n".join(["chain"] * 8)
        langchain.uninstrument()
        assert _differing(before, _attributes()) == set()


def test_objects_built_before_are_traced_and_after_are_not() -> None:
    """It does not matter when a runnable was built."""
    built = chain("one") | Tool()
    with capture_runs() as captured:
        with langchain.instrumented(tracer_provider=captured.provider):
            built.invoke("x")
            later = chain("later")
        built.invoke("x")
        later.invoke("x")
        assert drawn(captured) == "RunnableSequence\n  one\n  tool"


def test_instrumented_while_a_run_is_in_flight(traced: Traced) -> None:
    """What had begun before has no span; what begins in it has one, as a root."""
    langchain.uninstrument()

    def body(value: Any) -> Any:
        traced.on()
        return chain("inner").invoke(value, traced.config())

    assert RunnableLambda(body, name="outer").invoke("x") == "x"
    assert drawn(traced.captured) == "inner"
    traced.check()


@pytest.mark.parametrize(
    "kind", ["chain", "tool", "chat model", "completion", "retriever", "graph"]
)
def test_uninstrumented_while_a_run_is_in_flight(kind: str, traced: Traced) -> None:
    """Its span ends then, with outcome closed; the run goes on as if nothing were."""
    make: dict[str, Any] = {
        "chain": lambda: chain(inside=langchain.uninstrument),
        "tool": lambda: Tool(inside=langchain.uninstrument),
        "chat model": lambda: Chat(inside=langchain.uninstrument),
        "completion": lambda: Completion(inside=langchain.uninstrument),
        "retriever": lambda: Retriever(inside=langchain.uninstrument),
        "graph": lambda: graph(node("a", langchain.uninstrument)),
    }
    value = {"x": 1} if kind == "graph" else "x"
    for form in ("invoke", "stream", "ainvoke", "astream"):
        _use(make[kind](), form, value, traced.config())
        lines = drawn(traced.captured).split("\n")
        assert lines
        assert all(line.endswith(" (closed)") for line in lines)
        traced.captured.clear()
        traced.on()
    traced.check()


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(form, marks=[needs_context] if form[0] == "a" else [])
        for form in ("invoke", "stream", "ainvoke", "astream")
    ],
)
def test_what_follows_in_a_call_that_was_in_flight_is_untraced(form: str, traced: Traced) -> None:
    """No span is made any more, and no event, though the call still has the handler."""

    def says(value: Any) -> Any:
        callbacks.dispatch_custom_event("late", value)
        return value

    inner = RunnableLambda(says, name="inner") | Chat()
    steps = chain(inside=langchain.uninstrument) | says | RunnableLambda(inner.invoke)
    _use(steps.with_config(run_name="all"), form, "x", traced.config())
    drawing = drawn(traced.captured)
    # Where chunks are pulled through, a later step may have begun before.
    assert all(line.endswith(" (closed)") for line in drawing.split("\n"))
    assert "late" not in drawing
    assert "model" not in drawing
    assert not _installed.is_in_place()
    traced.check()


@pytest.mark.parametrize("form", ["invoke", "stream", "ainvoke", "astream", "thread"])
@pytest.mark.parametrize(
    "kind", ["chain", "tool", "chat model", "completion", "retriever", "graph"]
)
def test_a_handler_that_is_used_after_uninstrument(form: str, kind: str) -> None:
    """Each call that begins is traced, whole, as before; and LangChain is entered again."""

    def body() -> None:
        with captured.tracer.start_as_current_span("mine"):
            pass

    make: dict[str, Any] = {
        "chain": lambda: chain(inside=body),
        "tool": lambda: Tool(inside=body),
        "chat model": lambda: Chat(inside=body),
        "completion": lambda: Completion(inside=body),
        "retriever": lambda: Retriever(inside=body),
        "graph": lambda: graph(node("a", body)),
    }
    value = {"x": 1} if kind == "graph" else "x"
    with capture_runs() as captured:
        traced = Traced("handler", captured).on()
        try:
            config = {**traced.config(), "run_name": "root"}

            def call(runnable: Any) -> str:
                if form == "thread":
                    apart(_use, runnable, "invoke", value, config)
                else:
                    _use(runnable, form, value, config)
                found = drawn(captured)
                captured.clear()
                return found

            before = call(make[kind]())
            langchain.uninstrument()
            first = call(make[kind]())
            assert _installed.is_in_place()
            # The body of a model's or retriever's first call has been entered already.
            assert sorted(first.split()) == sorted(before.split())
            assert first == before or kind in ("chat model", "completion", "retriever")
            assert call(make[kind]()) == before
            traced.check()
        finally:
            langchain.uninstrument()


def _use(runnable: Any, form: str, value: Any, config: Any) -> None:
    async def pull() -> None:
        async for _ in runnable.astream(value, config):
            pass

    if form == "invoke":
        assert runnable.invoke(value, config)
    elif form == "stream":
        assert list(runnable.stream(value, config))
    elif form == "ainvoke":
        assert asyncio.run(runnable.ainvoke(value, config))
    else:
        asyncio.run(pull())


def test_two_handlers_of_one_call_give_one_span_a_run(traced: Traced) -> None:
    """Also beside ``instrument()``, and in async chat models, which tell each by itself."""
    more = langchain.OtelCallbackHandler(tracer_provider=traced.captured.provider)
    config = traced.config(more)
    _all_kinds(config)
    assert drawn(traced.captured) == ALL_KINDS
    traced.captured.clear()
    for form in ("ainvoke", "astream"):
        for model in (Chat(), Completion(), chain(), Tool(), Retriever()):
            _use(model, form, "x", config)
    assert drawn(traced.captured) == "\n".join(["model", "model", "chain", "tool", "Retriever"] * 2)
    traced.check()


def test_a_foreign_patch_is_left_in_place(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What another library has put over ours stays, with a warning that says what to do."""
    original = BaseTool.run
    try:
        langchain.instrument()
        BaseTool.run = theirs = lambda self, *args, **kwargs: "theirs"  # type: ignore[method-assign]
        langchain.uninstrument()
        assert BaseTool.run is theirs
    finally:
        BaseTool.run = original  # type: ignore[method-assign]
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "BaseTool.run" in record.getMessage()


def test_a_run_in_a_thread_is_traced_by_the_settings(traced_any_way: Traced) -> None:
    """A raw thread carries no context: its runs are roots of the provider that was given."""
    apart(chain().invoke, 1, traced_any_way.config())
    assert drawn(traced_any_way.captured) == "chain"
    traced_any_way.check()


def test_nothing_of_the_state_is_left() -> None:
    """After uninstrument, the installation holds neither settings nor handlers."""
    langchain.instrument()
    langchain.uninstrument()
    assert (_installed.settings(), _installed.hook()) == (None, None)
    assert _run_ids.live == {}
