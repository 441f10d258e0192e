"""Configs that hold the handler, copied and sent; chains of langchain_classic; embeddings."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from drawing import drawn
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.runnables.config import merge_configs, patch_config
from opentelemetry.sdk.trace import TracerProvider
from subjects import Chat, chain
from traced import Traced

from otelbridge import langchain


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_a_copied_config_traces_as_the_original(how: Any, traced_any_way: Traced) -> None:
    """A copy of the handler is the handler."""
    config = how(traced_any_way.config(tags=["t"]))
    assert config.get("callbacks", []) == traced_any_way.handlers
    chain().invoke(1, config)
    assert drawn(traced_any_way.captured) == "chain"
    traced_any_way.check()


def test_a_pickled_handler_is_one_of_the_process_that_loads_it() -> None:
    """Providers stay in their process: the copy uses the one that is set there."""
    handler = langchain.OtelCallbackHandler(tracer_provider=TracerProvider(shutdown_on_exit=False))
    try:
        loaded = pickle.loads(pickle.dumps({"callbacks": [handler]}))["callbacks"]
        assert [type(it) for it in loaded] == [langchain.OtelCallbackHandler]
        assert loaded[0].settings.tracing is None
    finally:
        langchain.uninstrument()


def test_configs_inside_a_run_can_be_copied_and_pickled(traced_any_way: Traced) -> None:
    """What a body gets can be merged, patched, copied and, handler by handler, pickled."""
    seen: list[Any] = []

    def body(value: Any, config: Any) -> Any:
        merged = merge_configs(config, {"tags": ["more"]})
        for other in (merged, patch_config(config), copy.copy(config), dict(config)):
            chain("inner").invoke(value, other)
        for handler in config["callbacks"].handlers:
            seen.append(pickle.loads(pickle.dumps(handler)))
            assert copy.deepcopy(handler) is handler
        return value

    from langchain_core.runnables import RunnableLambda

    RunnableLambda(body, name="outer").invoke(1, traced_any_way.config())
    assert drawn(traced_any_way.captured) == "outer" + "\n  inner" * 4
    assert all(isinstance(handler, langchain.OtelCallbackHandler) for handler in seen)
    assert seen
    traced_any_way.check()


def test_a_model_with_callbacks_of_its_own_is_traced_once(traced_any_way: Traced) -> None:
    """The handler given to the constructor, to ``with_config`` and to the call: one span a run."""
    ours = traced_any_way.handlers
    chat = Chat(callbacks=ours or None).with_config(traced_any_way.config())
    chat.invoke("x", traced_any_way.config())
    assert drawn(traced_any_way.captured) == "model"
    traced_any_way.check()


def test_embeddings_have_no_callbacks(traced: Traced) -> None:
    """Upstream tells nobody of them: they make no span, and work."""
    assert len(DeterministicFakeEmbedding(size=3).embed_query("x")) == 3
    assert traced.captured.spans == []
    traced.check()


def test_classic_chains_have_their_spans(traced: Traced) -> None:
    """Chains of langchain_classic: nested runs, and the span of the app around them."""
    classic = pytest.importorskip(
        "langchain_classic.chains", reason="langchain-classic is not installed"
    )
    inner = classic.TransformChain(
        input_variables=["a"], output_variables=["b"], transform=lambda values: {"b": values["a"]}
    )
    second = classic.TransformChain(
        input_variables=["b"], output_variables=["c"], transform=lambda values: {"c": 1}
    )
    steps = classic.SequentialChain(chains=[inner, second], input_variables=["a"])
    with traced.captured.tracer.start_as_current_span("own"):
        assert steps.invoke({"a": 1}, traced.config()) == {"a": 1, "c": 1}
    assert drawn(traced.captured) == (
        "own\n  SequentialChain\n    TransformChain\n    TransformChain"
    )
    traced.check()
