"""Finding: by words and by facets, the same whether indexed yet or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from stores import writing

from otelbridge import RunnableLambda, configure, dispatch_custom_event
from otelbridge.store import Filter, Store
from otelbridge.store._index import index_step
from otelbridge.store._words import match_of, phrases_of, words_of


@pytest.fixture(params=["fresh", "indexed", "running"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Three runs: just written, indexed, or one of them still running."""
    path = tmp_path / "traces.db"

    def load(value: int) -> int:
        dispatch_custom_event("file loaded", {"path": f"src/Größe_{value}.py", "n": value})
        if value == 2:
            raise ValueError("disk on fire")
        return value

    step = RunnableLambda(load).with_config(run_name="loader")
    with Store(path) as store, writing(path) as (tracer, sink):
        with configure(store=path) as handle:
            for value in (1, 2, 3):
                labels = {"tags": [f"t{value}"], "metadata": {"tenant": "acme", "k": value}}
                with suppress(ValueError):
                    step.invoke(value, labels)
            assert handle.flush()
        if request.param == "indexed":
            while index_step(store._database):
                pass
        if request.param == "running":
            with tracer.start_as_current_span("unrelated"):
                assert sink.force_flush()
                yield store
        else:
            yield store


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (Filter(text="loaded"), "321"),
        (Filter(text="LOADED file"), "321"),
        (Filter(text='"file loaded"'), "321"),
        (Filter(text='"loaded file"'), ""),
        (Filter(text="load"), "321"),
        (Filter(text='"loade"'), ""),
        (Filter(text="grosse_1"), ""),
        (Filter(text="größe_1"), "1"),
        (Filter(text="GRO\u0308SS"), ""),
        (Filter(text="große_3.py"), "3"),
        (Filter(text="gro\u0308ße_3.py"), "3"),
        (Filter(text="fire loader"), "2"),
        (Filter(text="fire nowhere"), ""),
        (Filter(text="  "), "321"),
        (Filter(text="acme"), "321"),
        (Filter(event="file loaded"), "321"),
        (Filter(event="exception"), "2"),
        (Filter(event="file"), ""),
        (Filter(name="loader"), "321"),
        (Filter(name="load"), ""),
        (Filter(tag="t2"), "2"),
        (Filter(tag="t"), ""),
        (Filter(metadata=("tenant", "acme")), "321"),
        (Filter(metadata=("tenant", None)), "321"),
        (Filter(metadata=("k", "3")), "3"),
        (Filter(metadata=("k", "4")), ""),
        (Filter(tag="t2", status="error", text="loaded"), "2"),
        (Filter(tag="t1", event="exception"), ""),
        (Filter(text="loaded", service="nobody"), ""),
    ],
)
def test_filter_by_what_is_in_spans(store: Store, filter: Filter, expected: str) -> None:
    """Words without case and accents, the last letters left out; facets by their whole value."""
    found = store.traces(filter)
    runs = [it for it in found if it.name == "loader"]
    tags = [store.get(it.trace_id).spans[0].attributes["otelbridge.run.tags"] for it in runs]  # type: ignore[union-attr]
    assert "".join(tag[0][1] for tag in tags) == expected


def test_run_id_finds_its_trace(store: Store) -> None:
    """The whole one; a part of it does not."""
    last = store.traces(Filter(name="loader"))[0]
    assert last.run_id is not None
    assert store.traces(Filter(run_id=last.run_id)) == [last]
    assert store.traces(Filter(run_id="0" * 32)) == []
    assert store.traces(Filter(run_id="-")) == []


@pytest.mark.parametrize(
    ("text", "where", "excerpt"),
    [
        ("loader", "name", "loader"),
        ("fire", "event exception", "exception.message: disk on fire"),
        ("größe_2", "event file loaded", "data.path: src/Größe_2.py"),
        ("t2", "attribute otelbridge.run.tags", "t2"),
    ],
)
def test_hit_tells_where_it_matched(store: Store, text: str, where: str, excerpt: str) -> None:
    """The place with the most of the words, and the text around them."""
    (hit,) = store.search(text, Filter(tag="t2"))
    assert (hit.name, hit.where, hit.excerpt) == ("loader", where, excerpt)
    assert hit.trace.status == "error"


def test_search_goes_on_by_pages(store: Store) -> None:
    """Behind the last hit of the page before; no hit twice."""
    first = store.search("loaded", limit=2)
    last = f"{first[-1].trace.trace_id}:{first[-1].span_id}"
    second = store.search("loaded", limit=2, before=last)
    assert len({hit.span_id for hit in [*first, *second]}) == 3
    assert store.search("loaded", before=f"{'0' * 32}:{'0' * 16}") == []
    assert store.search("...") == []
    traces = store.traces(Filter(text="loaded"), limit=2)
    assert len(store.traces(Filter(text="loaded"), before=traces[-1].trace_id)) == 1


def test_event_of_a_running_span_is_found(tmp_path: Path) -> None:
    """At once, though its span has not changed otherwise."""
    with writing(tmp_path / "t.db") as (tracer, sink), Store(tmp_path / "t.db") as store:
        with tracer.start_as_current_span("run") as span:
            assert sink.force_flush()
            assert store.traces(Filter(event="needle")) == []
            span.add_event("needle")
            assert sink.force_flush()
            assert len(store.traces(Filter(event="needle"))) == 1
            assert len(store.traces(Filter(text="needle"))) == 1


def test_event_names_are_offered(store: Store) -> None:
    """For menus, in order, also of what has just come."""
    assert store.event_names() == ["exception", "file loaded"]
    assert store.event_names(limit=1) == ["exception"]


def test_words_are_those_of_the_index() -> None:
    """Letters and digits, without case and accents."""
    assert words_of("Überprüfung_of data.FILE-2 n°3") == [
        "uberprufung", "of", "data", "file", "2", "n", "3",
    ]  # fmt: skip
    assert match_of(phrases_of('load "main.py" un"x ...')) == ('"load"* AND "main py" AND "un x"*')
