"""Native runnables inside LangChain's, and the reverse: one trace, one config."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any
from uuid import UUID

import pytest
from drawing import drawn
from forms import Form, every_form, every_form_with_context, needs_context
from langchain_core import callbacks
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import Runnable as TheirRunnable
from langchain_core.runnables import RunnableLambda as TheirLambda
from programs_apart import run_apart
from traced import Captured, Traced

import otelbridge
from otelbridge import RunnableLambda as OurLambda
from otelbridge import langchain

CONFIG = {"tags": ["T"], "metadata": {"tenant": "acme"}}


class Heard(BaseCallbackHandler):
    """A handler of LangChain's form, which notes what it is told of."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def on_chain_start(
        self,
        serialized: Any,
        inputs: Any,
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.said.append(("start", kwargs.get("name"), tags, metadata))

    def on_custom_event(
        self,
        name: str,
        data: Any,
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.said.append((name, data, tags, metadata))


def theirs(value: Any) -> Any:
    """The body of a run of LangChain's."""
    callbacks.dispatch_custom_event("theirs", value)
    return value


def ours(value: Any) -> Any:
    """The body of a native run."""
    otelbridge.dispatch_custom_event("ours", value)
    return value


def _nested(outer: type[Any], inner: Any) -> Any:
    async def acall(value: Any) -> Any:
        return await inner.ainvoke(value)

    return outer(lambda value: inner.invoke(value), afunc=acall).with_config(run_name="outer")


THEIRS = TheirLambda(theirs)
OURS = OurLambda(ours)
NESTED = {
    "theirs in ours": (_nested(OurLambda, THEIRS), "theirs"),
    "ours in theirs": (_nested(TheirLambda, OURS), "ours"),
}
STEPS = {"theirs behind ours": OURS | THEIRS, "ours behind theirs": THEIRS | OURS}


@every_form_with_context
@pytest.mark.parametrize("name", NESTED)
def test_in_a_body_all_is_inherited(name: str, form: Form, traced: Traced) -> None:
    """Parent, handlers, tags and metadata go across, without a config being passed."""
    runnable, inner = NESTED[name]
    heard = Heard()
    form(Captured(traced, runnable), "a", traced.config(heard, **CONFIG))
    assert drawn(traced.captured) == f"outer\n  {inner}\n    · {inner} data='a'"
    for span in traced.captured.spans:
        attributes = span.attributes or {}
        assert attributes["otelbridge.run.tags"] == ("T",)
        assert attributes["otelbridge.run.metadata.tenant"] == "acme"
    about = (["T"], {"tenant": "acme"})
    streams = [said for said in heard.said if said[:2] not in ((inner, "a"), ("start", inner))]
    assert streams == [("start", "outer", *about)]
    assert ("start", inner, *about) in heard.said
    assert (inner, "a", *about) in heard.said
    traced.check()


@every_form_with_context
@pytest.mark.parametrize("name", STEPS)
def test_as_steps_of_each_others_chains(name: str, form: Form, traced: Traced) -> None:
    """A step is below the chain, whichever library either is of."""
    heard = Heard()
    form(Captured(traced, STEPS[name]), "a", traced.config(heard, **CONFIG))
    first, second = ("ours", "theirs") if name == "theirs behind ours" else ("theirs", "ours")
    assert drawn(traced.captured) == (
        f"RunnableSequence\n  {first}\n    · {first} data='a'\n  {second}\n    · {second} data='a'"
    )
    events = [said[:2] for said in heard.said if said[0] != "start"]
    assert events == [(first, "a"), (second, "a")]
    starts = {said[1]: said[2] for said in heard.said if said[0] == "start"}
    assert {key: sorted(tags) for key, tags in starts.items()} == {
        "RunnableSequence": ["T"],
        first: ["T", "seq:step:1"],
        second: ["T", "seq:step:2"],
    }
    traced.check()


def test_results_of_mixed_chains(traced: Traced) -> None:
    """They are those of a chain of one library."""

    def more(value: int) -> int:
        return value + 1

    for chain in (
        OurLambda(more) | TheirLambda(more) | {"a": TheirLambda(more), "b": OurLambda(more)},
        TheirLambda(more) | OurLambda(more) | {"a": OurLambda(more), "b": TheirLambda(more)},
    ):
        config = traced.config()
        assert chain.invoke(1, config) == {"a": 4, "b": 4}
        assert chain.batch([1, 2], config) == [{"a": 4, "b": 4}, {"a": 5, "b": 5}]
        assert asyncio.run(chain.ainvoke(1, config)) == {"a": 4, "b": 4}
        parts = sorted(tuple(part.items()) for part in chain.stream(1, config))
        assert parts == [(("a", 4),), (("b", 4),)]
    traced.check()


@every_form
def test_native_handlers_hear_what_they_serve(form: Form, traced: Traced) -> None:
    """LangChain asks handlers for hooks that these do not have; it is not a failure."""
    got: list[tuple[str, Any]] = []

    class Own:
        def handle_custom_event(self, name: str, data: Any) -> None:
            got.append((name, data))

    def plain(name: str, data: Any) -> None:
        got.append((name, data))

    mapping = {"handleCustomEvent": plain}
    # Through a native chain, which takes them in any form.
    form(OURS | THEIRS, "a", traced.config(Own(), plain, mapping))
    assert got == [("ours", "a")] * 3 + [("theirs", "a")] * 3
    traced.check()


@needs_context
def test_a_native_bodys_configurable_reaches_langchain(traced: Traced) -> None:
    """What a config has beside tags and metadata goes across as well."""
    seen: list[Any] = []

    def look(value: Any, config: Any) -> Any:
        seen.append((config["configurable"], config["recursion_limit"]))
        return value

    inner = TheirLambda(look)
    given = {"configurable": {"color": "red"}, "recursion_limit": 7}
    OurLambda(inner.invoke).invoke("a", traced.config(**given))
    assert seen == [({"color": "red"}, 7)]
    traced.check()


def test_what_is_no_runnable_of_either_is_refused() -> None:
    """A class of runnables, or an object with some of the methods, is none."""
    with pytest.raises(TypeError, match="is no runnable"):
        OURS | 5  # type: ignore[operator]
    with pytest.raises(TypeError, match="is no runnable"):
        OURS | type("Half", (), {"invoke": lambda self, value: value})()


def test_without_instrumentation_nothing_crosses_by_itself() -> None:
    """LangChain's own rule holds: what it finds no config for has none."""
    assert not langchain.is_instrumented()
    heard = Heard()
    OurLambda(lambda value: THEIRS.invoke(value)).invoke(
        "a", {"callbacks": [heard], "run_name": "outer"}
    )
    assert [said[:2] for said in heard.said] == [("start", "outer")]


_STEP = """
import json
{imports}
from otelbridge.testing import capture_runs


def more(value):
    return value + 1


with capture_runs() as runs:
    ours = OurLambda(more)
    chain = TheirLambda(more) | ours | {{"a": TheirLambda(more) | ours}}
    result = chain.invoke(1), list(chain.stream(1))
    runs.assert_clean()
print(json.dumps([result, runs.names, isinstance(1, TheirRunnable)]))
"""
_IMPORTS = {
    "ours first": "from otelbridge import RunnableLambda as OurLambda",
    "theirs first": (
        "from langchain_core.runnables import Runnable as TheirRunnable\n"
        "from langchain_core.runnables import RunnableLambda as TheirLambda"
    ),
}


@pytest.mark.parametrize("first", _IMPORTS)
def test_langchains_chains_take_native_steps_without_instrumentation(first: str) -> None:
    """In whichever order the two are imported."""
    imports = sorted(_IMPORTS.values(), key=lambda line: line != _IMPORTS[first])
    result, names, is_any = run_apart(_STEP.format(imports="\n".join(imports)))
    assert result == [{"a": 5}, [{"a": 5}]]
    assert names == ["more"] * 4  # LangChain's own runs have no spans
    assert not is_any


def test_a_native_runnable_is_of_its_own_class() -> None:
    """That LangChain takes it for a runnable changes nothing else."""
    assert OURS.__class__ is OurLambda
    assert isinstance(OURS, TheirRunnable)
    copied = pickle.loads(pickle.dumps(OURS))
    assert type(copied) is OurLambda
    assert copied.invoke("a", {"callbacks": []}) == "a"
