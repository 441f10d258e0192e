"""Programs in processes of their own: imports, forks, no code changed, memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from programs_apart import ROOT, run_apart

from otelbridge.export.tree import render
from otelbridge.store import Store, to_readable

IS_LONG = bool(os.environ.get("CI"))

IMPORTS_NOTHING = """
import json, sys
from otelbridge import langchain
langchain.instrument()
loaded = [name for name in ("langchain_core", "langgraph", "langchain") if name in sys.modules]
late = [name for name in ("opentelemetry.instrumentation",) if name in sys.modules]
from drawing import drawn
from langchain_core.runnables import RunnableLambda
from otelbridge.testing import capture_runs
with capture_runs() as captured:
    RunnableLambda(lambda x: x, name="before").invoke(1)
    from langgraph.graph import START, StateGraph
    builder = StateGraph(dict)
    builder.add_node("a", lambda state: state)
    builder.add_edge(START, "a")
    builder.compile(name="graph").invoke({})
    from langchain_core.language_models import FakeListChatModel
    FakeListChatModel(responses=["a"]).invoke("x")
langchain.uninstrument()
with capture_runs() as after:
    RunnableLambda(lambda x: x).invoke(1)
print(json.dumps([loaded, late, drawn(captured), drawn(after)]))
"""


def test_instrument_imports_nothing_and_works_on_later_imports() -> None:
    """Neither library is imported for it; each is entered when the application imports it."""
    assert run_apart(IMPORTS_NOTHING) == [[], [], "before\ngraph\n  a\nmodel", ""]


FORKS = """
import json, os
from drawing import drawn
from langchain_core.callbacks import dispatch_custom_event
from langchain_core.runnables import RunnableLambda
from subjects import Chat, Tool, chain
from otelbridge import _run_ids, langchain
from otelbridge.testing import capture_runs

def body(value):
    dispatch_custom_event("before", {"n": 1})
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            with captured.active():
                pass
            dispatch_custom_event("in child", {"n": 2})
            chain("inner").invoke(1, config)
            Tool().invoke("x", config)
            Chat().invoke("x", config)
            said = [sorted(span.name for span in captured.spans), len(_run_ids.live)]
        except BaseException as error:
            said = repr(error)
        os.write(writing, json.dumps(said).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        children.append(json.loads(lines.read()))
    os.waitpid(pid, 0)
    dispatch_custom_event("after", {"n": 3})
    return value

children, found = [], []
for way in ("instrument", "handler"):
    with capture_runs() as captured:
        config = {}
        if way == "instrument":
            langchain.instrument(tracer_provider=captured.provider)
        else:
            handler = langchain.OtelCallbackHandler(tracer_provider=captured.provider)
            config = {"callbacks": [handler]}
        RunnableLambda(body, name="outer").invoke(1, config)
        found.append(drawn(captured))
        langchain.uninstrument()
print(json.dumps([children, found]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_traces_its_own_runs() -> None:
    """An inherited run is the parent's to end; what the child runs below it are its children."""
    children, found = run_apart(FORKS)
    for names, live in children:
        assert sorted(names) == ["chat", "execute_tool tool", "inner", "outer late event"]
        assert live == 1  # the inherited one
    assert found == ["outer\n  · before n=1\n  · after n=3"] * 2


ZERO_CODE = """
import json, sys
from langchain_core.runnables import RunnableLambda
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

kept = InMemorySpanExporter()
provider = trace.get_tracer_provider()
if not hasattr(provider, "add_span_processor"):
    provider = TracerProvider(shutdown_on_exit=False)
    trace.set_tracer_provider(provider)
provider.add_span_processor(SimpleSpanProcessor(kept))
RunnableLambda(lambda x: x, name="step").invoke(1)
print(json.dumps([span.name for span in kept.get_finished_spans()]))
"""


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({}, ["step"]),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "otelbridge"}, []),
        ({"OTEL_SDK_DISABLED": "true"}, []),
    ],
    ids=["", "disabled by name", "SDK disabled"],
)
def test_zero_code(environment: dict[str, str], names: list[str], tmp_path: Path) -> None:
    """``opentelemetry-instrument python app.py`` traces an application that says nothing of us."""
    done = _instrumented(ZERO_CODE, tmp_path, environment)
    assert done.stdout.splitlines()[-1:] == [str(names).replace("'", '"')], done.stderr


ZERO_CODE_TREE = """\
RunnableSequence [chain]
├─ first [chain]
│    · progress  done={0}
└─ second [chain]
     · progress  done={0}
"""


def test_zero_code_into_the_store(tmp_path: Path) -> None:
    """Its exporter named ``otelbridge`` keeps the whole trace where the command looks."""
    path = tmp_path / "folder" / "traces.db"
    text = """
from langchain_core.callbacks import dispatch_custom_event
from langchain_core.runnables import RunnableLambda

def body(x):
    dispatch_custom_event("progress", {"done": x})
    return x

for number in range(2):
    (RunnableLambda(body, name="first") | RunnableLambda(body, name="second")).invoke(number)
"""
    variables = {"OTEL_TRACES_EXPORTER": "otelbridge", "OTELBRIDGE_STORE": str(path)}
    done = _instrumented(text, tmp_path, variables)
    assert (done.stdout, done.stderr) == ("", "")
    with Store(path, create=False) as store:
        traces = [store.get(it.trace_id) for it in reversed(store.traces())]
    drawn = [render(list(map(to_readable, it.spans)), times=False) for it in traces if it]
    assert drawn == [ZERO_CODE_TREE.format(number) for number in range(2)]


def _instrumented(
    text: str, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("opentelemetry-instrument")
    if not command.exists():
        pytest.fail("opentelemetry-instrumentation is a test dependency and is not installed")
    app = folder / "app.py"
    app.write_text(text)
    _describe_distribution(folder)
    done = subprocess.run(
        [str(command), sys.executable, str(app)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def _describe_distribution(folder: Path) -> None:
    """Say what an installation of this working copy would: its entry points, from pyproject."""
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    points, wanted = [], False
    for line in lines:
        if line.startswith("["):
            wanted = line.startswith("[project.entry-points.")
            line = line.replace("project.entry-points.", "")
        if wanted:
            points.append(line.replace('"', ""))
    described = folder / "otelbridge-0.dist-info"
    described.mkdir()
    said = {"Metadata-Version": "2.1", "Name": "otelbridge", "Version": "0"}
    said["Requires-Dist"] = "opentelemetry-api"  # the loader looks at what is required
    (described / "METADATA").write_text("".join(f"{key}: {it}\n" for key, it in said.items()))
    (described / "entry_points.txt").write_text("\n".join(points))


MEMORY = """
import asyncio, gc, json, sys
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.trace import TracerProvider
from subjects import Chat, Retriever, Slow, Tool, chain, graph, node
from otelbridge import _run_ids, langchain

way, runs = sys.argv[1], int(sys.argv[2])
_run_ids.REMEMBERED = 100  # of ended runs: few, so that all that is remembered is so soon
provider = TracerProvider(shutdown_on_exit=False)
config = {}
if way == "instrument":
    langchain.instrument(tracer_provider=provider)
else:
    config = {"callbacks": [langchain.OtelCallbackHandler(tracer_provider=provider)]}
lambdas, tool, retriever, chat = chain(), Tool(), Retriever(), Chat()
graphs = graph(node("a"), node("b"))


async def cancelled(call):
    task = asyncio.ensure_future(call)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass


async def some_graphs(many):
    for number in range(many // 15):  # each gives three runs
        graphs.invoke({"x": 1}, config)
        await graphs.ainvoke({"x": 1}, config)
        await cancelled(graphs.ainvoke({"x": 1}, config))
        next(graphs.stream({"x": 1}, config))
        await graphs.astream({"x": 1}, config).__anext__()
        await asyncio.sleep(0)  # the loop closes what nobody reads any more
        if number % 100 == 0:
            gc.collect()


async def some_calls(many):
    for number in range(many // 10):
        for _ in range(5):
            lambdas.invoke(1, config)
        await tool.ainvoke("x", config)
        await cancelled(lambdas.ainvoke(1, config))
        await cancelled(tool.ainvoke("x", config))
        await cancelled(retriever.ainvoke("x", config))
        await cancelled(chat.ainvoke("x", config))
        if number % 20 == 0:
            stream = chat.astream("x", config)
            await stream.__anext__()
            await stream.aclose()
            next(chat.stream("x", config))


def blocks():
    while gc.collect():
        pass
    return sys.getallocatedblocks()


async def main():
    await some(500)
    before = blocks()
    await some(runs)
    return blocks() - before


some = {"calls": some_calls, "graphs": some_graphs}[sys.argv[3]]
more = asyncio.run(main())
print(json.dumps([more, len(_run_ids.live), len(_run_ids._ended)]))
"""

BLOCKS_A_RUN = 1 / 20  # the law without the noise of caches
BLOCKS = 500  # of caches that fill as they may


@pytest.mark.parametrize(
    ("way", "what", "runs"),
    [
        ("instrument", "calls", 20_000 if IS_LONG else 1_000),
        ("instrument", "graphs", 10_000 if IS_LONG else 1_000),
        ("handler", "calls", 1_000),
        ("handler", "graphs", 1_000),
    ],
)
def test_memory_is_flat_over_many_runs_with_cancels(way: str, what: str, runs: int) -> None:
    """Past what is remembered of ended runs, nothing is kept of those that follow.

    Cancelled ones, and streams that are left or dropped, are among them.
    """
    more, live, ended = run_apart(MEMORY, way, str(runs), what)
    assert more <= BLOCKS + runs * BLOCKS_A_RUN
    assert (live, ended) == (0, 100)
