"""Graphs on a LangGraph server: one CLIENT span a call, which the server's trace continues."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import httpx
import pytest
from graphs import (
    Words,
    ainvoke,
    astream,
    every_way,
    invoke,
    stream,
    traced,
    traced_by_handler,
    traces,
)
from langgraph.graph import START, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph_api import RUN_3, LangGraphServer, event, langgraph_server
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient
from laws.exported import until
from opentelemetry.trace import SpanKind
from ways import captured_cleanly, threaded

Way = Callable[..., Any]
# RemoteGraph leaves the response of a stream that is not read to its end to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_to_other_modules() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def shared() -> Iterator[LangGraphServer]:
    with langgraph_server() as server:
        yield server


@pytest.fixture
def server(shared: LangGraphServer) -> LangGraphServer:
    """The server, as if new."""
    shared.__init__(shared.port)  # type: ignore[misc]
    return shared


@pytest.fixture
def remote(server: LangGraphServer) -> Iterator[RemoteGraph]:
    """A remote graph whose clients keep no connection: each way has an event loop of its own."""
    options: Any = {
        "base_url": server.url,
        "limits": httpx.Limits(max_keepalive_connections=0),
        "verify": False,  # certificates take long to load
    }
    with httpx.Client(**options) as client:
        yield RemoteGraph(
            "assistant",
            client=LangGraphClient(httpx.AsyncClient(**options)),
            sync_client=SyncLangGraphClient(client),
            name="Remote",
        )


def ids(span: Any) -> str:
    return f"{span.context.trace_id:032x}-{span.context.span_id:016x}"


def sent(headers: Mapping[str, str]) -> str:
    """Return the ids in a request's ``traceparent``, which has version and flags around them."""
    return headers["traceparent"][3:-3]


@every_way
def test_a_call_is_a_client_span_that_the_server_continues(
    way: Way, remote: RemoteGraph, server: LangGraphServer
) -> None:
    """Named after the graph, with the server's address; ``traceparent`` in the request."""
    plain = way(remote, {"words": []})
    with traced() as captured:
        assert way(remote, {"words": []}) == plain
        span = captured.find("Remote")
        about = dict(span.attributes or {})
        assert span.kind is SpanKind.CLIENT
        assert (about["server.address"], about["server.port"]) == ("127.0.0.1", server.port)
        assert "traceparent" not in server.headers[0]
        assert sent(server.headers[1]) == ids(span)
        assert server.asked[0] == server.asked[1]
        assert traces(captured) == ["Remote"]


@pytest.mark.parametrize("way", [invoke, stream])
def test_a_remote_graph_is_below_the_node_that_calls_it(
    way: Way, remote: RemoteGraph, server: LangGraphServer
) -> None:
    """As a node itself, and called in one; the user's span in between counts."""

    def calls(state: Words) -> Any:
        with captured.tracer.start_as_current_span("mine"):
            return remote.invoke(state)

    graph = StateGraph(Words)
    graph.add_node("node", remote)
    graph.add_node("calls", calls)
    graph.add_edge(START, "node")
    graph.add_edge("node", "calls")
    with traced() as captured:
        way(graph.compile(name="Graph"), {"words": []})
        assert [sent(headers) for headers in server.headers] == [
            ids(span) for span in captured.find_all("Remote")
        ]
        assert traces(captured) == [
            "Graph",
            "  node",
            "    Remote",
            "  calls",
            "    mine",
            "      Remote",
        ]


@pytest.mark.parametrize("way", [ainvoke, astream])
def test_an_async_node_calls_a_remote_graph(way: Way, remote: RemoteGraph) -> None:
    """The same, async; the config that the node passes on says where it belongs."""

    async def calls(state: Words, config: Any) -> Any:
        return await remote.ainvoke(state, config)

    calls.__annotations__["config"] = "RunnableConfig"
    graph = StateGraph(Words)
    graph.add_node("calls", calls)
    graph.add_edge(START, "calls")
    with traced() as captured:
        way(graph.compile(name="Graph"), {"words": []})
        assert traces(captured) == ["Graph", "  calls", "    Remote"]


@every_way
def test_one_call_by_its_handler(way: Way, remote: RemoteGraph, server: LangGraphServer) -> None:
    """The call that has a handler of ours, and no other."""
    with traced_by_handler() as (captured, config):
        way(remote, {"words": []}, config)
        assert traces(captured) == ["Remote"]
        way(remote, {"words": []})
        assert traces(captured) == []
        assert ["traceparent" in headers for headers in server.headers] == [True, False]


@every_way
def test_the_callers_headers_stay(way: Way, remote: RemoteGraph, server: LangGraphServer) -> None:
    """Ours are added, and his mapping is as it was."""
    mine = {"x-mine": "1", "traceparent": "his"}
    with traced():
        way(remote, {"words": []}, headers=mine)
    assert server.headers[0]["x-mine"] == "1"
    assert server.headers[0]["traceparent"] == "his"
    assert mine == {"x-mine": "1", "traceparent": "his"}


@every_way
def test_config_and_tags_are_the_runs(way: Way, remote: RemoteGraph) -> None:
    """Also those that are bound to the graph."""
    bound = remote.with_config({"tags": ["bound"], "metadata": {"a": 1}})
    with traced() as captured:
        way(bound, {"words": []}, {"tags": ["called"], "run_name": "Named"})
        about = dict(captured.find("Named").attributes or {})
        assert sorted(about["otelbridge.run.tags"]) == ["bound", "called"]
        assert about["otelbridge.run.metadata.a"] == 1


@every_way
def test_an_error_of_the_server_is_the_spans(
    way: Way, remote: RemoteGraph, server: LangGraphServer
) -> None:
    """What the server says, and a status that is none of success."""
    server.parts = [("values", {"words": []}), ("error", {"message": "no"})]
    with traced() as captured:
        with pytest.raises(Exception, match="no"):
            way(remote, {"words": []})
        assert traces(captured) == ["Remote !langgraph.pregel.remote.RemoteException"]
        server.status = 503
        with pytest.raises(httpx.HTTPError):
            way(remote, {"words": []})
        (line,) = traces(captured)
        assert line.startswith("Remote !")


def test_a_stream_that_is_closed_early_is_closed(remote: RemoteGraph) -> None:
    """Not an error; the caller's context is as it was."""
    with traced() as captured:
        chunks = remote.stream({"words": []}, stream_mode="values")
        assert next(chunks) == {"words": ["a"]}
        chunks.close()
        assert traces(captured) == ["Remote ~closed"]

        async def main() -> None:
            chunks = remote.astream({"words": []}, stream_mode="values")
            assert await chunks.__anext__() == {"words": ["a"]}
            await chunks.aclose()
            captured.assert_clean()

        asyncio.run(main())
        assert traces(captured) == ["Remote ~closed"]


def test_a_stream_that_nobody_reads_asks_for_nothing(
    remote: RemoteGraph, server: LangGraphServer
) -> None:
    """No request, no span."""
    with traced() as captured:
        remote.stream({"words": []})
        assert traces(captured) == []
    assert server.asked == []


@every_way
def test_uninstrumented_calls_are_as_before(way: Way, remote: RemoteGraph) -> None:
    """The methods are the identical objects again."""
    before = {name: vars(RemoteGraph)[name] for name in ("stream", "astream")}
    with traced():
        assert vars(RemoteGraph)["stream"] is not before["stream"]
    assert {name: vars(RemoteGraph)[name] for name in before} == before
    with captured_cleanly() as captured:
        way(remote, {"words": []})
        assert traces(captured) == []


# ---------------------------------------------------------------------- event streams, version 3

needs_remote_events = pytest.mark.skipif(
    "stream_events" not in vars(RemoteGraph), reason="they came with langgraph 1.2"
)
Read = Callable[[Any], Any]


def read_events(remote: RemoteGraph, config: Any = None, **kwargs: Any) -> Any:
    with remote.stream_events({"words": []}, config, version="v3", **kwargs) as stream:
        return list(stream.values)[-1], stream.output


def aread_events(remote: RemoteGraph, config: Any = None, **kwargs: Any) -> Any:
    async def main() -> Any:
        async with await remote.astream_events(
            {"words": []}, config, version="v3", **kwargs
        ) as stream:
            return [words async for words in stream.values][-1], await stream.output()

    return asyncio.run(main())


def read_in_thread(remote: RemoteGraph, config: Any = None, **kwargs: Any) -> Any:
    return threaded(partial(read_events, remote, config, **kwargs))


every_read = pytest.mark.parametrize("read", [read_events, aread_events, read_in_thread])


@needs_remote_events
@every_read
def test_an_event_stream_is_a_client_span(
    read: Read, remote: RemoteGraph, server: LangGraphServer
) -> None:
    """From its start on the server until it is closed; every request continues its trace."""
    plain = read(remote)
    with traced() as captured:
        assert read(remote) == plain == ({"words": ["a", "b"]}, {"words": ["a", "b"]})
        span = captured.find("Remote")
        assert span.kind is SpanKind.CLIENT
        about = dict(span.attributes or {})
        assert (about["server.address"], about["server.port"]) == ("127.0.0.1", server.port)
        assert traces(captured) == ["Remote"]
    (_, before), (method, headers) = server.commands
    assert method == "run.start"
    assert "traceparent" not in before
    assert sent(headers) == ids(span)


@needs_remote_events
@every_read
def test_an_event_stream_by_its_handler(read: Read, remote: RemoteGraph) -> None:
    """The call that has a handler of ours, and no other; tags and names are the run's."""
    with traced_by_handler() as (captured, config):
        read(remote, {**config, "tags": ["called"], "run_name": "Named"})
        about = dict(captured.find("Named").attributes or {})
        assert about["otelbridge.run.tags"] == ("called",)
        assert traces(captured) == ["Named"]
        read(remote)
        assert traces(captured) == []


@needs_remote_events
@every_read
def test_headers_of_an_event_streams_caller_stay(
    read: Read, remote: RemoteGraph, server: LangGraphServer
) -> None:
    """Ours are added, and his mapping is as it was."""
    mine = {"x-mine": "1", "traceparent": "his"}
    with traced():
        read(remote, headers=mine)
    ((_, headers),) = server.commands
    assert (headers["x-mine"], headers["traceparent"]) == ("1", "his")
    assert mine == {"x-mine": "1", "traceparent": "his"}


@needs_remote_events
@every_read
def test_an_event_streams_failure_is_the_spans(
    read: Read, remote: RemoteGraph, server: LangGraphServer
) -> None:
    """What the server says of the run, and a request that it refuses."""
    server.events = [*RUN_3[:-1], event("lifecycle", 4, {"event": "failed", "error": "no"})]
    with traced() as captured:
        with pytest.raises(RuntimeError, match="no"):
            read(remote)
        assert traces(captured) == ["Remote !RuntimeError"]
        server.status = 503
        with pytest.raises(httpx.HTTPError):
            read(remote)
        assert traces(captured) == ["Remote !httpx.HTTPStatusError"]


@needs_remote_events
def test_an_event_streams_failure_that_nobody_asked_for(
    remote: RemoteGraph, server: LangGraphServer
) -> None:
    """The span says it, though nothing is raised."""
    server.events = [*RUN_3[:-1], event("lifecycle", 4, {"event": "failed", "error": "no"})]
    with traced() as captured:
        with remote.stream_events({"words": []}, version="v3") as stream:
            until(lambda: stream._sdk._run_done.done())
        assert traces(captured) == ["Remote !RuntimeError"]


@needs_remote_events
@pytest.mark.parametrize("asks", [True, False])
def test_an_event_stream_that_is_left_early(
    asks: bool, remote: RemoteGraph, server: LangGraphServer
) -> None:
    """It is closed; or interrupted, where the graph waits for an answer."""
    question = event("input.requested", 4, {"interrupt_id": "i", "value": "?"})
    server.events = [*RUN_3[:-1], *([question] if asks else [])]
    outcome = "Remote ~interrupted" if asks else "Remote ~closed"
    with traced() as captured:
        with remote.stream_events({"words": []}, version="v3") as stream:
            until(lambda: stream.interrupted is asks and bool(server.commands))
            with captured.tracer.start_as_current_span("mine"):
                pass
        assert traces(captured) == [outcome, "mine"]

        async def main() -> None:
            async with await remote.astream_events({"words": []}, version="v3") as stream:
                while await stream.interrupted() is not asks:
                    await asyncio.sleep(0.01)
            captured.assert_clean()

        asyncio.run(main())
        assert traces(captured) == [outcome]


@needs_remote_events
def test_an_event_stream_that_is_aborted_is_cancelled(
    remote: RemoteGraph, server: LangGraphServer
) -> None:
    """And one that raises in its block has that as its error; one that is dropped is closed."""
    server.events = RUN_3[:-1]
    with traced() as captured:
        with remote.stream_events({"words": []}, version="v3") as stream:
            stream.abort()
        assert traces(captured) == ["Remote ~cancelled"]
        with pytest.raises(KeyError), remote.stream_events({"words": []}, version="v3"):
            raise KeyError("mine")
        assert traces(captured) == ["Remote !KeyError"]

        async def main() -> None:
            async with await remote.astream_events({"words": []}, version="v3") as stream:
                await stream.abort()

        asyncio.run(main())
        assert traces(captured) == ["Remote ~cancelled"]
        dropped = remote.stream_events({"words": []}, version="v3").__enter__()
        sdk = dropped._sdk
        del dropped
        gc.collect()
        assert traces(captured) == ["Remote ~closed"]
        sdk.close()


@needs_remote_events
def test_an_event_stream_that_is_never_entered_asks_for_nothing(
    remote: RemoteGraph, server: LangGraphServer
) -> None:
    """No request, no span; the versions that it has not are refused as before."""
    with traced() as captured:
        remote.stream_events({"words": []}, version="v3")
        with pytest.raises(NotImplementedError):
            asyncio.run(remote.astream_events({"words": []}, version="v2"))
        assert traces(captured) == []
    assert server.commands == []
