"""The JSON API: every address of it, over a real store."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otelbridge.store import Store, StoreError
from otelbridge.view import Server, start
from view import synthetic
from view.asking import Answer, ask
from view.made import MS, Event, Span, request, trace_id

BEGIN_NS = 1_790_000_000_000_000_123
MINUTE_NS = 60 * 10**9
ROOT, STEP = "00000000000000a1", "00000000000000a2"
STACK = {"exception.type": "ValueError", "exception.message": "no"}


def first() -> Span:
    """A run with a step that fails."""
    step = Span(
        "step",
        2,
        8,
        kind="client",
        attributes={"large": 2**53, "nan": float("nan"), "raw": b"\x00\xff", "all": [1, "a", None]},
        events=[Event(3, "found", {"data.file": "a.txt"}), Event(7, "exception", STACK)],
        status="error",
        message="no",
        span_id=STEP,
        links=[("f" * 32, "e" * 16)],
    )
    attributes = {
        "otelbridge.run.id": "0b9a3a52-0000-4000-8000-000000000001",
        "otelbridge.run.type": "chain",
        "otelbridge.run.tags": ["nightly", "red"],
        "otelbridge.run.metadata.user": "anna",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
    }
    return Span("root", 0, 10, [step], attributes, span_id=ROOT)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Three traces, one a minute; and one with 2,500 events in pages, an hour before."""
    with Store(tmp_path_factory.mktemp("api") / "traces.db") as made:
        made.add(synthetic.many_events(BEGIN_NS - 60 * MINUTE_NS, 2500))
        made.add(request("first", BEGIN_NS, first(), service="one"))
        slow = Span("root", 0, 300, [Span("step", 2, 290), Span("more", 291, 299)])
        made.add(request("second", BEGIN_NS + MINUTE_NS, slow, service="two"))
        made.add(
            request(
                "third",
                BEGIN_NS + 2 * MINUTE_NS,
                Span("other", 0, 5, status="error"),
                service="two",
            )
        )
        yield made


@pytest.fixture(scope="module")
def viewer(store: Store) -> Iterator[Server]:
    """A viewer of it."""
    with start(store, port=0, otlp_http_port=None, otlp_grpc_port=None) as server:
        yield server


def get(viewer: Server, path: str) -> Any:
    """What an address answers."""
    answer = ask(viewer.url, path)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    return answer.json


def refused(answer: Answer) -> tuple[int, str]:
    """The status, and what is said."""
    assert list(answer.json) == ["error"]
    return answer.status, answer.json["error"]


def names(viewer: Server, query: str) -> list[str]:
    """The services and names that a query finds, newest first."""
    found = get(viewer, f"/api/traces?{query}")["traces"]
    return [f"{it['service']} {it['name']}" for it in found]


ALL = ["two other", "two root", "one root", "importer import rows"]


def test_traces_newest_first(viewer: Server, store: Store) -> None:
    """Each as a list shows it: times as decimal text, for JavaScript's numbers lose them."""
    answer = get(viewer, "/api/traces")
    assert list(answer) == ["traces", "cursor", "now_ns"]
    assert answer["cursor"] == store.cursor()
    assert int(answer["now_ns"]) > BEGIN_NS
    assert names(viewer, "") == ALL
    assert {**answer["traces"][2], "changed": 0} == {
        "trace_id": trace_id("first"),
        "name": "root",
        "service": "one",
        "start_ns": "1790000000000000123",
        "end_ns": "1790000000010000123",
        "duration_ns": "10000000",
        "state": "ended",
        "status": "unset",
        "outcome": None,
        "run_id": "0b9a3a52-0000-4000-8000-000000000001",
        "spans": 2,
        "events": 2,
        "errors": 1,
        "input_tokens": 7,
        "output_tokens": 3,
        "changed": 0,
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("text=found", ALL[2:3]),
        ("text=a.txt", ALL[2:3]),
        ("service=two", ALL[:2]),
        ("status=unset&service=one", ALL[2:3]),
        ("status=error", ALL[:1]),
        ("state=ended", ALL),
        ("state=running", []),
        ("event=progress", ALL[3:]),
        ("name=step", ALL[1:3]),
        ("tag=red", ALL[2:3]),
        ("metadata=user", ALL[2:3]),
        ("metadata=user=anna", ALL[2:3]),
        ("metadata=user=ben", []),
        ("run_id=0b9a3a52-0000-4000-8000-000000000001", ALL[2:3]),
        (f"since_ns={BEGIN_NS + 1}", ALL[:2]),
        (f"until_ns={BEGIN_NS}", ALL[3:]),
        (f"min_duration_ns={11 * MS}", [ALL[1], ALL[3]]),
        ("service=two&name=step", ALL[1:2]),
        ("limit=2", ALL[:2]),
        (f"limit=2&before={trace_id('second')}", ALL[2:]),
        ("text=&service=&status=&limit=", ALL),
        ("service=%3Cscript%3E", []),
    ],
)
def test_traces_that_a_query_asks_for(viewer: Server, query: str, found: list[str]) -> None:
    """Every filter, alone and together; an empty one is none."""
    assert names(viewer, query) == found


def test_what_ended_with_no_error_is_asked_for(tmp_path: Path) -> None:
    """Status ok and unset together, page by page, in the list and in the load."""
    kinds = ["ok", "error", "unset", "error", "ok", "ok", "error", "unset"]
    with Store(tmp_path / "traces.db") as mixed:
        for number, kind in enumerate(kinds):
            root = Span(str(number), 0, 5, status=kind)
            mixed.add(request(str(number), BEGIN_NS + number * MINUTE_NS, root))
        with start(mixed, port=0, otlp_http_port=None, otlp_grpc_port=None) as viewer:
            found = (7, 5, 4, 2, 0)
            well = [f"service {number}" for number in found]
            assert names(viewer, "status=well") == well
            assert names(viewer, "status=well&state=ended&limit=2") == well[:2]
            for at, number in enumerate(found):
                query = f"status=well&limit=2&before={trace_id(str(number))}"
                assert names(viewer, query) == well[at + 1 : at + 3]
            stretch = f"since_ns={BEGIN_NS}&until_ns={BEGIN_NS + 8 * MINUTE_NS}&buckets=4"
            assert get(viewer, f"/api/load?{stretch}&status=well") == {
                "buckets": [[1, 0], [1, 0], [2, 0], [1, 0]]
            }
            status, message = refused(ask(viewer.url, "/api/traces?status=well&state=lost"))
            assert (status, message) == (400, "status=well is of what has ended: leave state out")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=x", "limit='x': give a whole number from 1 to 500"),
        ("limit=0", "limit='0': give a whole number from 1 to 500"),
        ("limit=501", "limit='501': give a whole number from 1 to 500"),
        ("limit=-1", "limit='-1': give a whole number from 1 to 500"),
        ("limit=1e3", "limit='1e3': give a whole number from 1 to 500"),
        ("limit=%C2%B2", "limit='²': give a whole number from 1 to 500"),
        (f"since_ns={2**63}", f"since_ns='{2**63}': give a whole number from 0 to {2**63 - 1}"),
        ("until_ns=" + "9" * 50, f"until_ns='{'9' * 40}': give a whole number from 0 to"),
        ("status=bad", "status='bad': give one of unset, ok, error"),
        ("state=bad", "state='bad': give one of running, ended, lost"),
    ],
)
def test_a_query_that_cannot_be_answered(viewer: Server, query: str, said: str) -> None:
    """It is said why, and what to give."""
    status, message = refused(ask(viewer.url, f"/api/traces?{query}"))
    assert status == 400
    assert message.startswith(said)


def test_a_trace_whole(viewer: Server) -> None:
    """Its summary, every span with everything, its resources once, and its critical path."""
    answer = get(viewer, f"/api/traces/{trace_id('first')}")
    assert list(answer) == ["summary", "spans", "resources", "critical_path", "cursor", "now_ns"]
    assert answer["summary"]["trace_id"] == trace_id("first")
    assert answer["resources"] == [{"service.name": "one", "host.name": "workbench"}]
    assert [it["name"] for it in answer["spans"]] == ["root", "step"]
    assert {**answer["spans"][1], "changed": 0} == {
        "trace_id": trace_id("first"),
        "span_id": STEP,
        "parent_id": ROOT,
        "name": "step",
        "kind": "client",
        "start_ns": "1790000000002000123",
        "end_ns": "1790000000008000123",
        "duration_ns": "6000000",
        "state": "ended",
        "status": "error",
        "status_message": "no",
        "service": "one",
        "scope": "otelbridge",
        "scope_version": "1.0",
        "resource": 0,
        "attributes": {
            "large": {"int": "9007199254740992"},
            "nan": {"float": "NaN"},
            "raw": {"bytes": "AP8="},
            "all": [1, "a", None],
        },
        "events": [
            {
                "time_ns": "1790000000003000123",
                "name": "found",
                "attributes": {"data.file": "a.txt"},
                "dropped_attributes": 0,
            },
            {
                "time_ns": "1790000000007000123",
                "name": "exception",
                "attributes": STACK,
                "dropped_attributes": 0,
            },
        ],
        "events_total": 2,
        "links": [
            {
                "trace_id": "f" * 32,
                "span_id": "e" * 16,
                "attributes": {"otelbridge.link.type": "resumes"},
                "trace_state": "",
                "flags": 0,
                "dropped_attributes": 0,
            }
        ],
        "trace_state": "",
        "flags": 257,
        "dropped_attributes": 0,
        "dropped_events": 0,
        "dropped_links": 0,
        "outcome": None,
        "run_id": None,
        "run_type": None,
        "page": None,
        "changed": 0,
    }
    assert answer["critical_path"] == [
        {"span_id": ROOT, "start_ns": "1790000000008000123", "end_ns": "1790000000010000123"},
        {"span_id": STEP, "start_ns": "1790000000002000123", "end_ns": "1790000000008000123"},
        {"span_id": ROOT, "start_ns": "1790000000000000123", "end_ns": "1790000000002000123"},
    ]


def test_a_trace_by_the_beginning_of_its_id(viewer: Server) -> None:
    """Or by ``last``; what is none, or not one alone, is not found."""
    whole = get(viewer, f"/api/traces/{trace_id('first')}")["summary"]
    assert get(viewer, f"/api/traces/{trace_id('first')[:8]}")["summary"] == whole
    assert get(viewer, "/api/traces/last")["summary"]["trace_id"] == trace_id("third")
    for path in ("zz", "0" * 32, "%00", "f" * 33):
        assert refused(ask(viewer.url, f"/api/traces/{path}"))[0] == 404


def test_the_events_of_pages_are_those_of_their_run(viewer: Server) -> None:
    """The first thousand come with it, the others are asked for; no page is shown as a span."""
    where = f"/api/traces/{trace_id('many events')}"
    (run,) = get(viewer, where)["spans"]
    assert (run["name"], run["page"], run["events_total"]) == ("import rows", None, 2500)
    rows = [it["attributes"]["data.row"] for it in run["events"]]
    assert rows == list(range(1000))
    events = f"{where}/spans/{run['span_id']}/events"
    for start_at, limit, expected in (
        (1000, 1000, range(1000, 2000)),
        (2000, 1000, range(2000, 2500)),
        (2499, 1, range(2499, 2500)),
        (2500, 10, range(0)),
    ):
        answer = get(viewer, f"{events}?from={start_at}&limit={limit}")
        assert answer["total"] == 2500
        assert [it["attributes"]["data.row"] for it in answer["events"]] == list(expected)
    assert get(viewer, events)["events"] == run["events"]
    assert refused(ask(viewer.url, f"{events}?limit=1001"))[0] == 400
    assert refused(ask(viewer.url, f"{where}/spans/none/events"))[0] == 404


def test_search(viewer: Server) -> None:
    """What was found, where, and in which trace."""
    (hit,) = get(viewer, "/api/search?text=a.txt")["hits"]
    assert hit["trace"] == get(viewer, f"/api/traces/{trace_id('first')}")["summary"]
    assert (hit["span_id"], hit["name"], hit["where"]) == (STEP, "step", "event found")
    assert "a.txt" in hit["excerpt"]
    assert get(viewer, "/api/search?text=a.txt&service=two")["hits"] == []
    steps = get(viewer, "/api/search?text=step")["hits"]
    assert [it["trace"]["service"] for it in steps] == ["two", "one"]
    (rest,) = get(viewer, f"/api/search?text=step&limit=1&before={_hit(steps[0])}")["hits"]
    assert rest == steps[1]
    assert refused(ask(viewer.url, "/api/search"))[0] == 400


def _hit(hit: Any) -> str:
    return f"{hit['trace']['trace_id']}:{hit['span_id']}"


@pytest.mark.parametrize(
    "text", ['"', "(", "AND", "a*", "NEAR(", "-", "'; drop table", "%00", "\\"]
)
def test_any_text_can_be_looked_for(viewer: Server, text: str) -> None:
    """Nothing of it is a language."""
    for path in ("search", "traces"):
        answer = ask(viewer.url, f"/api/{path}?text={text.replace(' ', '%20')}")
        assert answer.status == 200, answer.body


def test_menus(viewer: Server) -> None:
    """What can be chosen in a filter."""
    assert get(viewer, "/api/menus") == {
        "services": ["importer", "one", "two"],
        "events": ["exception", "found", "progress", "row", "saved"],
    }


def test_load(viewer: Server) -> None:
    """Traces, and those with an error, in each part of a time."""
    query = f"since_ns={BEGIN_NS}&until_ns={BEGIN_NS + 4 * MINUTE_NS}&buckets=4"
    assert get(viewer, f"/api/load?{query}") == {"buckets": [[1, 0], [1, 0], [1, 1], [0, 0]]}
    two = [[0, 0], [1, 0], [1, 1], [0, 0]]
    assert get(viewer, f"/api/load?{query}&service=two") == {"buckets": two}
    assert len(get(viewer, "/api/load")["buckets"]) == 60
    assert refused(ask(viewer.url, "/api/load?since_ns=2&until_ns=1"))[0] == 400
    assert refused(ask(viewer.url, "/api/load?buckets=100000"))[0] == 400


def test_compare_two_traces(viewer: Server) -> None:
    """Row by row, with what each has there."""
    answer = get(viewer, f"/api/compare?a={trace_id('first')}&b={trace_id('second')[:9]}")
    for side, name in (("a", "first"), ("b", "second")):
        summary = get(viewer, f"/api/traces/{trace_id(name)}")["summary"]
        assert answer[side] == summary
    (root, step, more) = answer["rows"]
    assert (root["path"], root["depth"], root["differs"]) == (["root"], 0, ["duration"])
    assert root["delta_ns"] == "290000000"
    assert step == {
        "path": ["root", "step"],
        "depth": 1,
        "occurrence": 1,
        "a": {
            "span_id": STEP,
            "name": "step",
            "duration_ns": "6000000",
            "state": "ended",
            "status": "error",
            "outcome": None,
            "events": ["found", "exception"],
            "events_total": 2,
        },
        "b": {
            "span_id": step["b"]["span_id"],
            "name": "step",
            "duration_ns": "288000000",
            "state": "ended",
            "status": "unset",
            "outcome": None,
            "events": [],
            "events_total": 0,
        },
        "differs": ["duration", "status", "events"],
        "delta_ns": "282000000",
    }
    assert (more["a"], more["differs"], more["delta_ns"]) == (None, ["structure"], None)


def test_compare_two_spans(viewer: Server) -> None:
    """Of the same trace, too."""
    where = f"/api/compare?a={trace_id('first')}:{ROOT}&b={trace_id('first')}:{STEP}"
    assert [it["path"] for it in get(viewer, where)["rows"]] == [["root"], ["root", "step"]]
    for query in ("", "a=last", "a=last&b=zz", "a=last&b=last:zz"):
        assert ask(viewer.url, f"/api/compare?{query}").status in (400, 404)


def test_export(viewer: Server, tmp_path: Path) -> None:
    """As a file that any store takes, and one that Perfetto opens."""
    answer = ask(viewer.url, f"/api/export/{trace_id('first')[:9]}")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/jsonl")
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="{trace_id("first")}.otlp.jsonl"'
    )
    with Store(tmp_path / "other.db") as other:
        assert other.import_otlp(answer.body.decode().splitlines()).accepted == 2
        assert [it.name for it in other.get(trace_id("first")).spans] == ["root", "step"]  # type: ignore[union-attr]
    perfetto = ask(viewer.url, f"/api/export/{trace_id('first')}?format=perfetto")
    assert perfetto.headers["content-disposition"] == (
        f'attachment; filename="{trace_id("first")}.perfetto.json"'
    )
    assert {"root", "step", "found"} <= {it["name"] for it in perfetto.json["traceEvents"]}
    assert refused(ask(viewer.url, "/api/export/last?format=pdf"))[0] == 400
    assert refused(ask(viewer.url, "/api/export/zz"))[0] == 404


def test_head_is_as_get_without_its_body(viewer: Server) -> None:
    """As HTTP has it."""
    answer = ask(viewer.url, "/api/menus", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) == len(ask(viewer.url, "/api/menus").body)


def test_a_store_that_cannot_be_read(
    viewer: Server, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, and to come again; what nobody foresaw is logged."""

    def away(*_: Any, **__: Any) -> Any:
        raise StoreError("the store is away; bring it back")

    with monkeypatch.context() as broken:
        broken.setattr(store, "services", away)
        answer = ask(viewer.url, "/api/menus")
        assert refused(answer) == (503, "the store is away; bring it back")
        assert answer.headers["retry-after"] == "1"
        broken.setattr(store, "services", lambda: 1 / 0)
        assert refused(ask(viewer.url, "/api/menus")) == (
            500,
            "The viewer failed (ZeroDivisionError); its log says more.",
        )
        assert [it.getMessage() for it in caplog.records] == ["The viewer failed at '/api/menus'"]
    assert ask(viewer.url, "/api/menus").status == 200


def test_hostile_names_and_data_come_as_they_are(tmp_path: Path) -> None:
    """As JSON strings, nothing more; a page that shows them as text shows all of them."""
    with Store(tmp_path / "traces.db") as store:
        store.add(synthetic.hostile(BEGIN_NS))
        with start(store, port=0, otlp_http_port=None, otlp_grpc_port=None) as viewer:
            answer = ask(viewer.url, "/api/traces/last")
            spans = answer.json["spans"]
    assert [it["name"] for it in spans[1:]] == synthetic.HOSTILE
    assert [it["status_message"] for it in spans[1:]] == synthetic.HOSTILE
    assert [it["events"][0]["name"] for it in spans[1:]] == synthetic.HOSTILE
    assert len(spans[1]["attributes"]["long"]) == 1_000_000
    assert answer.headers["content-type"] == "application/json"
    assert b"\0" not in answer.body


def test_a_trace_is_read_once_while_nothing_changes(
    viewer: Server, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scrolling through its events reads no more of the store; a change does."""
    read: list[str] = []
    get_trace = store.get
    monkeypatch.setattr(store, "get", lambda it: (read.append(it), get_trace(it))[1])
    where = f"/api/traces/{trace_id('many events')}"
    store.add(request("fourth", 1, Span("x", 0, 1), service="two"))
    (run,) = get(viewer, where)["spans"]
    for start_at in range(0, 2500, 500):
        get(viewer, f"{where}/spans/{run['span_id']}/events?from={start_at}")
    assert read == [trace_id("many events")]
    store.delete([trace_id("fourth")])
    store.add(request("fifth", 1, Span("x", 0, 1), service="two"))
    get(viewer, where)
    assert len(read) == 2
    store.delete([trace_id("fifth")])


def test_many_who_ask_at_the_same_time(viewer: Server) -> None:
    """Each gets what it asked for."""
    wrong: list[str] = []

    def asking(name: str) -> None:
        for _ in range(10):
            found = get(viewer, f"/api/traces/{trace_id(name)}")["summary"]["trace_id"]
            if found != trace_id(name):
                wrong.append(found)

    kinds = ("first", "second", "third", "many events") * 3
    threads = [threading.Thread(target=asking, args=(it,)) for it in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_json_is_json(viewer: Server) -> None:
    """No NaN, which JavaScript does not read."""
    body = ask(viewer.url, f"/api/traces/{trace_id('first')}").body
    json.loads(body, parse_constant=lambda it: pytest.fail(f"{it} is no JSON"))
