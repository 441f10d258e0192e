"""Versions of LangChain that have changed: one warning, and spans by callbacks alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from programs_apart import run_apart

# Every name that is relied on, and where it is.
NAMES = {
    "handle_event": "langchain_core.callbacks.manager",
    "ahandle_event": "langchain_core.callbacks.manager",
    "_set_config_context": "langchain_core.runnables.config",
    "Runnable._transform_stream_with_config": "langchain_core.runnables.base",
    "BaseTool.run": "langchain_core.tools.base",
    "BaseTool.arun": "langchain_core.tools.base",
    "BaseRetriever.invoke": "langchain_core.retrievers",
    "BaseRetriever.ainvoke": "langchain_core.retrievers",
    "BaseChatModel.generate": "langchain_core.language_models.chat_models",
    "BaseChatModel.agenerate": "langchain_core.language_models.chat_models",
    "BaseChatModel.stream": "langchain_core.language_models.chat_models",
    "BaseChatModel.astream": "langchain_core.language_models.chat_models",
    "BaseChatModel._generate_with_cache": "langchain_core.language_models.chat_models",
    "BaseChatModel._agenerate_with_cache": "langchain_core.language_models.chat_models",
    "BaseLLM.generate": "langchain_core.language_models.llms",
    "BaseLLM.agenerate": "langchain_core.language_models.llms",
    "BaseLLM.stream": "langchain_core.language_models.llms",
    "BaseLLM.astream": "langchain_core.language_models.llms",
    "lg._set_config_context": "langgraph._internal._runnable",
    "Pregel.stream": "langgraph.pregel.main",
    "Pregel.astream": "langgraph.pregel.main",
}

# Each name is renamed in a child of its own, forked once all is imported: importing takes seconds.
PROGRAM = '''
import json, logging, os, sys, types
from importlib import import_module
from subjects import Chat, Completion, Retriever, Tool, chain, graph, node
from drawing import edges
from otelbridge import langchain
from otelbridge.testing import capture_runs


def renamed(module, path):
    """Take a name away from where it is; what upstream does with it goes on working."""
    *classes, name = path.removeprefix("lg.").split(".")
    if classes:  # a method has moved up
        owner = getattr(module, classes[0])
        setattr(owner.__mro__[1], name, vars(owner)[name])
        delattr(owner, name)
        return
    new = name + "_renamed"
    setattr(module, new, vars(module)[name])
    delattr(module, name)
    for held in list(vars(module).values()):
        inside = vars(held).values() if isinstance(held, type) else [held]
        for function in inside:
            while isinstance(function, types.FunctionType):
                rename_in(function, name, new)
                function = getattr(function, "__wrapped__", None)


def rename_in(function, name, new):
    code = function.__code__
    if name in code.co_names:
        names = tuple(new if used == name else used for used in code.co_names)
        function.__code__ = code.replace(co_names=names)


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.said = []

    def emit(self, record):
        if record.levelno >= logging.WARNING:
            self.said.append(record.getMessage())


def child(module, path, way):
    kept = Kept()
    logging.getLogger("otelbridge").addHandler(kept)
    renamed(import_module(module), path)
    with capture_runs() as captured:
        if way == "instrument":
            langchain.instrument(tracer_provider=captured.provider)
            config = {}
        else:
            handler = langchain.OtelCallbackHandler(tracer_provider=captured.provider)
            config = {"callbacks": [handler]}
        (chain("one") | chain("two")).with_config(run_name="steps").invoke("x", config)
        Tool().invoke("x", config)
        Retriever().invoke("x", config)
        Chat().invoke("x", config)
        Completion().invoke("x", config)
        graph(node("a")).invoke({"x": 1}, config)
        found = sorted(map(str, {name for _, name in edges(captured)}))
        under = [name for above, name in edges(captured) if above == "steps"]
        langchain.uninstrument()
    return {"said": kept.said, "found": found, "under": sorted(under)}


said = {}
names = json.loads(sys.argv[1]).items()
for way, path, module in [(way, *name) for way in ("instrument", "handler") for name in names]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = json.dumps(child(module, path, way))
        except BaseException as error:
            answer = json.dumps({"failed": repr(error)})
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        said[f"{way} {path}"] = json.loads(lines.read())
    os.waitpid(pid, 0)
print(json.dumps(said))
'''

ALL = ["Retriever", "a", "a body", "graph", "model", "one", "steps", "tool", "two"]


@pytest.fixture(scope="module")
def said() -> Any:
    """What each child has said."""
    return run_apart(PROGRAM, json.dumps(NAMES))


@pytest.mark.parametrize("way", ["instrument", "handler"])
@pytest.mark.parametrize("name", NAMES)
def test_a_renamed_name_gives_one_warning_and_spans_by_callbacks(
    name: str, way: str, said: Any
) -> None:
    """The warning names the module and the cure; every run has its span all the same."""
    found = said[f"{way} {name}"]
    assert "failed" not in found
    (warning,) = found["said"]
    assert NAMES[name] in warning
    assert "Use versions of langchain-core and langgraph" in warning
    assert found["under"] == ["one", "two"]
    assert found["found"] == ALL
