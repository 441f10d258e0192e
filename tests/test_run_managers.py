"""Runs begun and ended by hand through a callback manager."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from ways import captured_cleanly, traces

from otelbridge import (
    AsyncCallbackManager,
    AsyncRunManager,
    CallbackManager,
    Run,
    Runnable,
    RunnableLambda,
    ensure_config,
    start_run,
)
from otelbridge.config import (
    get_async_callback_manager_for_config,
    get_callback_manager_for_config,
)

KINDS = ("chain", "tool", "retriever")


class Notes:
    """Hears all."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        for kind in KINDS:
            for what in ("start", "end", "error"):
                setattr(self, f"on_{kind}_{what}", self._noting(f"{kind}_{what}"))

    def _noting(self, hook: str) -> Any:
        def note(*args: Any, **kwargs: Any) -> None:
            self.seen.append((hook, args, kwargs))

        return note


async def begun(manager: Any, kind: str, *args: Any, **kwargs: Any) -> Any:
    """Begin a run by either manager."""
    run = getattr(manager, f"on_{kind}_start")(*args, **kwargs)
    return await run if manager.is_async else run


async def ended(manager: Any, run: Any, kind: str, what: str, value: Any) -> None:
    """End it."""
    result = getattr(run, f"on_{kind}_{what}")(value)
    if manager.is_async:
        await result


both = pytest.mark.parametrize("form", [CallbackManager, AsyncCallbackManager])


@both
@pytest.mark.parametrize("kind", KINDS)
async def test_run_by_hand_is_a_run(form: Any, kind: str) -> None:
    """Of each kind, with the name and id that were given."""
    notes, run_id = Notes(), uuid4()
    with captured_cleanly() as captured:
        manager = form([notes], [notes], tags=["own"], inheritable_tags=[])
        run = await begun(manager, kind, None, "in", run_id, name="mine")
        assert isinstance(run, AsyncRunManager if manager.is_async else Run)
        assert isinstance(run.get_sync(), Run)
        assert (run.name, run.run_id, run.tags) == ("mine", run_id, ["own"])
        RunnableLambda(str).invoke(1, {"callbacks": run.get_child()})
        await ended(manager, run, kind, "end", "out")
        await ended(manager, run, kind, "error", ValueError("too late"))
    label = "mine" if kind == "chain" else f"mine [{kind}]"
    assert traces(captured) == [f"{label} #own", "  str"]
    own = [(hook, args) for hook, args, kwargs in notes.seen if kwargs["run_id"] == run_id]
    assert own == [(f"{kind}_start", (None, "in")), (f"{kind}_end", ("out",))]


@both
@pytest.mark.parametrize("kind", KINDS)
async def test_run_by_hand_may_fail(form: Any, kind: str) -> None:
    """Its error is on the span, and handlers get it."""
    notes, error = Notes(), ValueError("no")
    with captured_cleanly() as captured:
        manager = form([notes])
        run = await begun(manager, kind, {"name": "said"}, "in")
        await ended(manager, run, kind, "error", error)
    label = "said" if kind == "chain" else f"said [{kind}]"
    assert traces(captured) == [f"{label} !ValueError"]
    assert [(hook, args) for hook, args, _ in notes.seen] == [
        (f"{kind}_start", ({"name": "said"}, "in")),
        (f"{kind}_error", (error,)),
    ]


@both
async def test_name_is_the_kind_where_none_is_given(form: Any) -> None:
    """And the run type may be another."""
    with captured_cleanly() as captured:
        manager = form()
        for kind, options in (("chain", {"run_type": "parser"}), ("tool", {"inputs": {"x": 1}})):
            run = await begun(manager, kind, None, "in", **options)
            await ended(manager, run, kind, "end", None)
    assert traces(captured) == ["chain [parser]", "tool [tool]"]


@both
async def test_parent_may_be_named(form: Any) -> None:
    """By the manager, or by parent_run_id for one run."""
    with captured_cleanly() as captured:
        with start_run("above") as above, start_run("other") as other:
            manager = form(parent_run_id=above.run_id)
            for parent in ({}, {"parent_run_id": other.run_id}):
                run = await begun(manager, "chain", None, 1, name="below", **parent)
                assert run.parent_run_id == (parent or {"": above.run_id}).popitem()[1]
                await ended(manager, run, "chain", "end", None)
    assert captured.tree() == (
        "above [chain]\n├─ other [chain]\n│  └─ below [chain]\n└─ below [chain]"
    )


class ByHand(Runnable[Any, Any]):
    """Manages its run as runnables written for langchain-core do."""

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        """In sync code."""
        manager = get_callback_manager_for_config(ensure_config(config))
        run = manager.on_chain_start(None, input, name="by hand")
        run.event("e", input)
        output = RunnableLambda(str).invoke(input, {"callbacks": run.get_child("tag")})
        run.on_chain_end(output)
        return output

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        """In async code."""
        manager = get_async_callback_manager_for_config(ensure_config(config))
        run = await manager.on_chain_start(None, input, name="by hand")
        await run.aevent("e", input)
        output = await RunnableLambda(str).ainvoke(input, {"callbacks": run.get_child("tag")})
        await run.on_chain_end(output)
        return output


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_runnable_may_manage_its_run(is_async: bool) -> None:
    """Alone and below another run."""
    runnable = RunnableLambda(lambda x: x) | ByHand()
    config: Any = {"tags": ["t"]}
    with captured_cleanly() as captured:
        if is_async:
            assert await runnable.ainvoke(1, config) == "1"
        else:
            assert runnable.invoke(1, config) == "1"
    lines = traces(captured)
    assert lines[0] == "RunnableSequence #t"
    assert lines[2:] == ["  by hand #seq:step:2 #t *e", "    str #tag #t"] or lines[2:] == [
        "  by hand #t #seq:step:2 *e",
        "    str #t #tag",
    ]
