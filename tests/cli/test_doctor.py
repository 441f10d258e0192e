"""``otelbridge doctor``: each planted fault is found, by its name, with its cure."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, LIMIT_S, environment, piped, terminal
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from traces import lines
from unreachable import refusing_endpoint

from otelbridge.cli.doctor import _meanings
from otelbridge.export import variables
from otelbridge.store import Store


@contextmanager
def receiver(status: int = 200, ahead_s: float = 0.0) -> Iterator[str]:
    """An HTTP receiver with a clock and an answer of its own; yields its URL."""

    class Answers(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = status if self.path == "/v1/traces" else 404
            self.send_response(405 if self.command == "GET" else found)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = answer

        def date_time_string(self, timestamp: float | None = None) -> str:
            import time

            return formatdate(time.time() + ahead_s, usegmt=True)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def examined(store: Path, *words: str, **more: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Run the doctor; return its status, and its checks by name, the worst of each name."""
    ran = piped("doctor", "--json", "--timeout", "2", *words, store=store, **more)
    found = json.loads(ran.stdout)
    assert found["well"] is (ran.returncode == 0)
    order = ("ok", "warn", "fail")
    checks = sorted(found["checks"], key=lambda it: order.index(it["level"]))
    return ran.returncode, {it["name"]: it for it in checks}


def is_found(check: dict[str, str], level: str, found: str, cure: str) -> None:
    """Assert that a check says what is wrong, and what to do."""
    assert check["level"] == level, check
    assert re.search(found, check["found"]), check
    assert re.search(cure, check["cure"]), check


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The file of a store with three traces."""
    path = tmp_path / "traces.db"
    with Store(path) as held:
        held.import_otlp(lines())
    return path


def test_all_is_well(store: Path) -> None:
    """Without a fault every check is ok, and the status is 0."""
    with receiver() as url:
        status, checks = examined(
            store, OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf"
        )
    assert {name: it["level"] for name, it in checks.items()} == {
        **dict.fromkeys(["python", "packages", "opentelemetry", "provider", "sampling"], "ok"),
        **dict.fromkeys(["outputs", "endpoint over HTTP", "endpoint over gRPC"], "ok"),
        **dict.fromkeys(["clock", "clock of the receiver", "store", "disk", "spool"], "ok"),
        **dict.fromkeys(["langchain", "other instrumentors"], "ok"),
        "variable OTELBRIDGE_STORE": "ok",
        "variable OTEL_EXPORTER_OTLP_ENDPOINT": "ok",
        "variable OTEL_EXPORTER_OTLP_PROTOCOL": "ok",
    }
    assert status == 0
    assert "3 traces, 5 spans" in checks["store"]["found"]
    assert f"{url}/v1/traces (http/protobuf) takes traces" in checks["endpoint over HTTP"]["found"]


# ---------------------------------------------------------------------------- planted faults


@pytest.mark.parametrize(
    ("variables", "name", "level", "found", "cure"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, "sampling", "fail", "nothing is recorded", "unset it"),
        (
            {"OTEL_TRACES_SAMPLER": "always_off"},
            *("sampling", "fail", "records no trace", "parentbased_always_on"),
        ),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
            *("sampling", "fail", "records no trace", "unset OTEL_TRACES_SAMPLER"),
        ),
        (
            {"OTEL_TRACES_SAMPLER": "sometimes"},
            *("variable OTEL_TRACES_SAMPLER", "fail", "sometimes", "always_on"),
        ),
        (
            {"OTELBRIDGE_STROE": "x"},
            *("variable OTELBRIDGE_STROE", "warn", "not known", "did you mean OTELBRIDGE_STORE"),
        ),
        (
            {"OTEL_SERVICENAME": "x"},
            *("variable OTEL_SERVICENAME", "warn", "not known", "did you mean OTEL_SERVICE_NAME"),
        ),
        (
            {"OTEL_BSP_MAX_QUEUE_SIZE": "-1"},
            *("variable OTEL_BSP_MAX_QUEUE_SIZE", "fail", "'-1'", "whole number above 0"),
        ),
        (
            {"OTELBRIDGE_MAX_DEPTH": "deep"},
            *("variable OTELBRIDGE_MAX_DEPTH", "fail", "deep", "whole number"),
        ),
        (
            {"OTEL_TRACES_EXPORTER": "jaeger"},
            *("outputs", "fail", "jaeger", "set it to otlp"),
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "https://127.0.0.1:9",
                "OTEL_EXPORTER_OTLP_CERTIFICATE": "/none.pem",
            },
            *("endpoint", "fail", "/none.pem", "path of a PEM file"),
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:port"},
            *("endpoint", "fail", "localhost:port", "http://localhost:4318"),
        ),
        (
            {"LANGSMITH_OTEL_ENABLED": "true"},
            *("langsmith", "warn", "spans of every run too", "unset LANGSMITH_OTEL_ENABLED"),
        ),
        (
            {"OTEL_EXPORTER_OTLP_HEADERS": "authorization"},
            *("variable OTEL_EXPORTER_OTLP_HEADERS", "fail", "item 1", "key1=value1"),
        ),
    ],
    ids=lambda it: "+".join(it) if isinstance(it, dict) else "",
)
def test_a_variable_that_is_wrong_is_found(
    variables: dict[str, str], name: str, level: str, found: str, cure: str, store: Path
) -> None:
    """What a variable keeps from working is said, with the value to set."""
    status, checks = examined(store, **variables)
    is_found(checks[name], level, found, cure)
    assert status == (1 if level == "fail" else 0)


def test_an_endpoint_where_nobody_listens_is_found(store: Path) -> None:
    """Over either protocol."""
    for protocol, name in (("grpc", "endpoint over gRPC"), ("http/protobuf", "endpoint over HTTP")):
        status, checks = examined(
            store, "--endpoint", refusing_endpoint(), OTEL_EXPORTER_OTLP_PROTOCOL=protocol
        )
        assert status == 1
        is_found(checks[name], "fail", "takes no traces: .*refused", "start a Collector")


def test_an_endpoint_of_the_other_protocol_is_found(store: Path) -> None:
    """The receiver speaks HTTP, and the set-up gRPC: the variables to set are named."""
    with receiver() as url:
        status, checks = examined(store, "--endpoint", url, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert status == 1
    wanted = f"OTEL_EXPORTER_OTLP_ENDPOINT={url} and OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
    is_found(checks["endpoint over gRPC"], "fail", "takes no traces", wanted)


@pytest.mark.parametrize(
    ("answer", "path", "found", "cure"),
    [
        (200, "/wrong/place", "HTTP 404", "correct the endpoint"),
        (401, "/v1/traces", "HTTP 401", "HEADERS"),
        (500, "/v1/traces", "HTTP 500", "whoever runs the receiver"),
    ],
)
def test_an_endpoint_that_refuses_is_found(
    answer: int, path: str, found: str, cure: str, store: Path
) -> None:
    """A wrong path, a missing token, a receiver that fails."""
    with receiver(answer) as url:
        status, checks = examined(
            store,
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=url + path,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        )
    assert status == 1
    is_found(checks["endpoint over HTTP"], "fail", found, cure)


@pytest.mark.parametrize(("ahead_s", "side"), [(3600, "ahead of"), (-3600, "behind")])
def test_a_clock_that_is_wrong_is_found(ahead_s: float, side: str, store: Path) -> None:
    """The receiver's clock is an hour off."""
    with receiver(ahead_s=ahead_s) as url:
        _, checks = examined(store, "--endpoint", url, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
    is_found(checks["clock of the receiver"], "fail", rf"3,(599|600|601) s {side}", "NTP")


def _a_folder(path: Path) -> None:
    path.mkdir()


def _below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("")


def _damaged(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)


def _newer(path: Path) -> None:
    Store(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 9999")


def _readable_by_all(path: Path) -> None:
    Store(path).close()
    path.chmod(0o644)


@pytest.mark.parametrize(
    ("plant", "level", "found", "cure"),
    [
        (_a_folder, "fail", "is a folder", "choose another file by OTELBRIDGE_STORE"),
        (_below_a_file, "fail", "is a file", "choose another file by OTELBRIDGE_STORE"),
        (_damaged, "fail", "is damaged", "moves it aside"),
        (_newer, "fail", "newer", "(?i)upgrade|install"),
        (_readable_by_all, "warn", "other users", "chmod 600"),
    ],
)
def test_a_store_that_cannot_be_used_is_found(
    plant: Any, level: str, found: str, cure: str, tmp_path: Path
) -> None:
    """A folder, no folder, damage, a newer version, open permissions; nothing is changed."""
    path = tmp_path / "store" / "traces.db"
    path.parent.mkdir()
    plant(path)
    before = path.read_bytes() if path.is_file() else None
    _, checks = examined(path)
    is_found(checks["store"], level, found, cure)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_the_store_that_is_meant_is_looked_at(store: Path, tmp_path: Path) -> None:
    """By a path from the home folder; one in memory is no file that a command could look at."""
    _, checks = examined(Path("~/traces.db"), HOME=str(store.parent))
    assert checks["store"]["found"].startswith(f"{store}: 3 traces")
    _, checks = examined(Path(":memory:"))
    assert (checks["store"]["level"], "disk" in checks) == ("ok", False)
    assert checks["store"]["found"].startswith("in the memory of each process")
    status, checks = examined(Path("~nobody of this name/x"))
    is_found(checks["store"], "fail", "no path of a file", "choose a file")
    assert (status, [it["found"] for it in checks.values() if "itself failed" in it["found"]]) == (
        1,
        [],
    )


def test_spans_that_go_nowhere_are_found(tmp_path: Path) -> None:
    """No exporter and no store."""
    _, checks = examined(Path("off"), OTEL_TRACES_EXPORTER="none")
    is_found(checks["outputs"], "fail", "go nowhere", "unset OTEL_TRACES_EXPORTER")


def test_a_spool_that_cannot_be_made_and_refused_spans_are_found(
    store: Path, tmp_path: Path
) -> None:
    """A file stands where the folder should be; spans that were refused are counted."""
    (tmp_path / "file").write_text("")
    _, checks = examined(store, OTELBRIDGE_SPOOL=str(tmp_path / "file" / "spool"))
    is_found(checks["spool"], "fail", "cannot be made", "OTELBRIDGE_SPOOL")
    service = tmp_path / "spool" / "service-12345678"
    service.mkdir(parents=True)
    (service / "rejected-20261123.jsonl").write_text("{}\n{}\n")
    _, checks = examined(store, OTELBRIDGE_SPOOL=str(tmp_path / "spool"))
    is_found(checks["refused spans"], "warn", "2 spans", "delete the files")


def test_spans_that_wait_are_found(store: Path, tmp_path: Path) -> None:
    """By the service that has to run again."""
    waiting = tmp_path / "spool" / "shop-12345678" / "0000000001-1-00000000"
    waiting.mkdir(parents=True)
    (waiting / "1.v1").write_bytes(b"x" * 2_000)
    _, checks = examined(store, OTELBRIDGE_SPOOL=str(tmp_path / "spool"))
    is_found(checks["spool"], "warn", "of shop-12345678", "run the service again")


def test_propagator_that_is_not_there_is_found(store: Path) -> None:
    """OpenTelemetry itself says so by an error while it is imported."""
    _, checks = examined(store, OTEL_PROPAGATORS="tracecontext, nope")
    check = checks["variable OTEL_PROPAGATORS"]
    is_found(check, "fail", "'tracecontext, nope'", "install the package that has 'nope'")


def _installed(folder: Path, name: str, version: str, entries: str = "") -> None:
    """Pretend that a package is installed."""
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (about / "entry_points.txt").write_text(entries)


def test_packages_that_do_not_fit_are_found(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SDK that is too old, and so of another version than the API."""
    _installed(tmp_path, "opentelemetry-sdk", "1.20.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    status, checks = examined(store)
    assert status == 1
    needed = "opentelemetry-sdk is 1.20.0, and 1.28.0 is needed"
    is_found(checks["packages"], "fail", needed, "pip install 'opentelemetry-sdk>=1.28.0'")
    is_found(checks["opentelemetry"], "fail", "different versions", "pip install --upgrade")


def test_another_instrumentor_of_langchain_is_found(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it every run would have two spans; a disabled one is left alone."""
    entries = "[opentelemetry_instrumentor]\nlangchain = rival.langchain:Instrumentor\n"
    _installed(tmp_path, "rival-langchain", "1.0", entries)
    monkeypatch.syspath_prepend(str(tmp_path))
    _, checks = examined(store)
    cure = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=langchain"
    is_found(checks["other instrumentors"], "warn", "rival-langchain traces LangChain too", cure)
    _, checks = examined(store, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="langchain")
    assert checks["other instrumentors"]["level"] == "ok"


def test_a_provider_with_an_exporter_is_found(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As under ``opentelemetry-instrument``: configure() would add nothing."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    _, checks = examined(store)
    is_found(checks["provider"], "warn", "SimpleSpanProcessor", "pass endpoint= or store=")


# ---------------------------------------------------------------------------- how it is told


def test_secrets_are_not_shown(store: Path) -> None:
    """The value of a headers variable is in no output."""
    ran = piped("doctor", store=store, OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer 12345")
    assert "12345" not in ran.stdout + ran.stderr
    assert "***: sent with every request" in ran.stdout


def test_doctor_in_a_terminal_wraps_and_counts(store: Path) -> None:
    """Marks, names and cures stand in columns; the foot counts what is not well."""
    with terminal("doctor", store=store, size=(50, 90), OTELBRIDGE_STROE="1") as screen:
        assert screen.end() == 0
    text = screen.lines
    assert text[0].startswith("✓ python                 Python 3.")
    at = text.index("! variable OTELBRIDGE_STROE")
    assert text[at + 1 :] == [
        " " * 25 + "is not known, and does nothing here",
        " " * 25 + "→ did you mean OTELBRIDGE_STORE?",
        "",
        "0 problems, 1 warning",
    ]
    assert all(len(line) < 90 for line in text)


@pytest.mark.parametrize("where", ["store", "endpoint"])
def test_send_sends_one_span_all_the_way(where: str, store: Path) -> None:
    """It arrives where traces go; the check names its trace."""
    with receiver() as url:
        more = {} if where == "store" else {"OTEL_EXPORTER_OTLP_ENDPOINT": url}
        ran = subprocess.run(
            [*COMMAND, "doctor", "--send", "--json"],
            capture_output=True,
            text=True,
            env=environment(store, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", **more),
            timeout=LIMIT_S,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    check = json.loads(ran.stdout)["checks"][-1]
    found = re.match(r"trace ([0-9a-f]{32}) has arrived at (.*): look for", check["found"])
    assert found is not None, check
    assert (url in found[2]) is (where == "endpoint")
    with Store(store) as held:
        kept = held.get(found[1])
    assert kept is not None
    assert [span.name for span in kept.spans] == ["otelbridge doctor"]


def test_every_variable_of_the_library_has_a_meaning() -> None:
    """Whoever adds a variable says here what it does."""
    ours = {name for name in _meanings.MEANINGS if name.startswith("OTELBRIDGE_")}
    assert ours == set(variables.KNOWN)
