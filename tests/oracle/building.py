"""Making runnables of a library from programs as data, and running them."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any

from . import departures, forms
from .functions import Body, digest
from .libraries import UPSTREAM, Library
from .programs import (
    ERRORS,
    Add,
    Again,
    Bound,
    Call,
    Chain,
    Choose,
    Either,
    Every,
    Node,
    Program,
    Rescue,
    Split,
    Step,
    has_branches,
    is_rescue,
)
from .recorder import record

ASYNC_TWIN = {
    "both": "coroutine",
    "both_generators": "async_generator",
    "both_chunks": "async_chunks",
}
SYNC_TWIN = {"both": "plain", "both_generators": "generator", "both_chunks": "chunks"}


class Builder:
    """Makes the runnable of a node; names are counted, so they are the same on both libraries."""

    def __init__(self, lib: Library) -> None:
        self._lib = lib
        self._names: Counter[str] = Counter()

    def build(self, node: Node) -> Any:
        """The runnable of that node."""
        return getattr(self, f"_{type(node).__name__.lower()}")(node)

    def _name(self, kind: str) -> str:
        self._names[kind] += 1
        return f"{kind}{self._names[kind]}"

    def _step(self, node: Step) -> Any:
        acts = [(act, self.build(act.node) if isinstance(act, Call) else None) for act in node.acts]
        body = Body(self._lib, self._name(node.kind[:4]), acts)
        function = body.function(SYNC_TWIN.get(node.kind, node.kind))
        twin = body.function(ASYNC_TWIN[node.kind]) if node.kind in ASYNC_TWIN else None
        if "tool" in node.kind:
            name = self._name("pack")
            pack = self._lib.RunnableLambda(lambda value: {"value": digest(value)}, name=name)
            return pack | self._lib.tool(function)
        if "chunks" in node.kind:
            return self._lib.RunnableGenerator(function, twin)
        return self._lib.RunnableLambda(function, afunc=twin)

    def _choose(self, node: Choose) -> Any:
        chosen = self.build(node.node)

        def choose(_value: Any) -> Any:
            return chosen

        async def choose_async(_value: Any) -> Any:
            return chosen

        function = choose if node.kind == "plain" else choose_async
        return self._lib.RunnableLambda(function, name=self._name("choose"))

    def _chain(self, node: Chain) -> Any:
        return self._lib.RunnableSequence(*map(self.build, node.nodes))

    def _split(self, node: Split) -> Any:
        return self._lib.RunnableParallel(
            {f"k{index}": self.build(part) for index, part in enumerate(node.nodes)}
        )

    def _either(self, node: Either) -> Any:
        condition = self._lib.RunnableLambda(lambda _: node.takes_first, name=self._name("if"))
        return self._lib.RunnableBranch(
            (condition, self.build(node.first)), self.build(node.second)
        )

    def _again(self, node: Again) -> Any:
        return self.build(node.node).with_retry(
            stop_after_attempt=node.attempts, wait_exponential_jitter=False
        )

    def _rescue(self, node: Rescue) -> Any:
        return self.build(node.node).with_fallbacks(
            [self.build(other) for other in node.others],
            exceptions_to_handle=tuple(ERRORS[name] for name in node.only),
        )

    def _add(self, node: Add) -> Any:
        wrap = self._lib.RunnableLambda(lambda value: {"given": value}, name=self._name("wrap"))
        return wrap | self._lib.RunnablePassthrough.assign(added=self.build(node.node))

    def _every(self, node: Every) -> Any:
        def halve(value: Any) -> list[str]:
            return [f"{digest(value)}a", f"{digest(value)}b"]

        return (
            self._lib.RunnableLambda(halve, name=self._name("halve")) | self.build(node.node).map()
        )

    def _bound(self, node: Bound) -> Any:
        config: dict[str, Any] = {"tags": list(node.tags), "metadata": dict(node.metadata)}
        if node.named and not is_rescue(node.node):
            config["run_name"] = self._name("bound")
        return self.build(node.node).with_config(config)


def runner(program: Program) -> Callable[[Library], Any]:
    """The program as a function of a library, as `running.outcome` takes it."""
    form = forms.FORMS[program.form]
    branches = form in forms.MANY or has_branches(program.node)

    def prepare(lib: Library) -> tuple[Any, dict[str, Any], list[Any]]:
        recorders = [record(lib, asynchronous=kind == "async") for kind in program.handlers]
        config: dict[str, Any] = {
            "callbacks": [recorder.handler for recorder in recorders],
            "tags": list(program.tags),
            "metadata": dict(program.metadata),
        }
        if program.named and not is_rescue(program.node):
            config["run_name"] = "called"
        return Builder(lib).build(program.node), config, recorders

    def finish(lib: Library, result: Any, recorders: list[Any]) -> Any:
        if lib is UPSTREAM:
            result = departures.attempts_keep_their_parent_in_events(result)
            for recorder in recorders:
                recorder.calls_made = departures.attempts_keep_their_parent(recorder.calls_made)
        told = [recorder.runs() if branches else recorder.calls() for recorder in recorders]
        return forms.tidy(form, result, branches=branches), told

    def synchronous(lib: Library) -> Any:
        runnable, config, recorders = prepare(lib)
        try:
            result = form(runnable, program.inputs, config)
        except Exception as error:
            result = error
        return finish(lib, result, recorders)

    async def asynchronous(lib: Library) -> Any:
        runnable, config, recorders = prepare(lib)
        try:
            result = await form(runnable, program.inputs, config)
        except Exception as error:
            result = error
        return finish(lib, result, recorders)

    return asynchronous if inspect.iscoroutinefunction(form) else synchronous
