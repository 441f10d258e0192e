"""The handle: what became of the spans of one set-up, and the settings of what is kept."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from receivers import Received, http_receiver

from otelbridge import ConfigurationError, configure, start_run
from otelbridge.export import keeping
from otelbridge.export.account import Stats
from otelbridge.export.arguments import Arguments
from otelbridge.export.batching import Batching
from otelbridge.export.keeping import Keeping
from otelbridge.export.pipeline import Pipeline
from otelbridge.store import Store

HTTP = "http/protobuf"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _own_spool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test has a spool of its own, and no settings of the machine's."""
    for name in os.environ:
        if name.startswith(("OTEL_", "OTELBRIDGE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTELBRIDGE_SPOOL", str(tmp_path / "spool"))


@pytest.fixture
def received() -> Iterator[Received]:
    """A receiver that takes everything."""
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def provider() -> TracerProvider:
    """A provider of the application's."""
    return TracerProvider(resource=Resource({"service.name": "app"}), shutdown_on_exit=False)


def runs(count: int) -> None:
    """So many runs."""
    for number in range(count):
        with start_run(f"r{number}"):
            pass


# ---------------------------------------------------------------------------- stats and flush


def test_handle_tells_what_became_of_spans(received: Received, provider: TracerProvider) -> None:
    """While it is open, and after its shutdown."""
    with configure(tracer_provider=provider, endpoint=received.url, protocol=HTTP) as handle:
        assert handle.stats() == Stats()
        runs(3)
        assert handle.stats().ended == 3
        assert handle.flush(float("inf"))
        assert handle.stats() == Stats(ended=3, sent=3)
        runs(1)
    assert handle.stats() == Stats(ended=4, sent=4)
    assert handle.flush()


def test_flush_after_shutdown_tells_what_was_not_sent(provider: TracerProvider) -> None:
    """What waits on disk is not acknowledged."""
    handle = configure(tracer_provider=provider, endpoint=NOWHERE, protocol=HTTP)
    runs(2)
    handle.shutdown()
    assert not handle.flush()
    assert handle.stats().waiting == 2


def test_without_an_otlp_output_there_is_nothing_to_account_for(provider: TracerProvider) -> None:
    """The console keeps no account."""
    with configure(tracer_provider=provider, console=True, store=False) as handle:
        runs(1)
        assert handle.stats() == Stats()
        assert handle.flush()


def test_store_keeps_an_account_and_acknowledges(provider: TracerProvider, tmp_path: Path) -> None:
    """What is committed counts as sent, while the handle is open and after its shutdown."""
    with configure(tracer_provider=provider, store=tmp_path / "t.db") as handle:
        runs(3)
        assert handle.stats().ended == 3
        assert handle.flush()
        assert handle.stats() == Stats(ended=3, sent=3)
        runs(1)
    assert handle.stats() == Stats(ended=4, sent=4)
    assert handle.flush()
    with Store(tmp_path / "t.db") as store:
        assert [summary.name for summary in store.traces()] == ["r0", "r2", "r1", "r0"]


def test_two_otlp_outputs_count_each_span_and_keep_it_apart(
    received: Received, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What one of them could not send is never sent by the other."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp_proto_http,otlp_proto_grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", received.url)
    with configure(tracer_provider=provider) as handle:
        runs(2)
        assert not handle.flush(0.5)
        assert handle.stats().ended == 4
    assert len(received.spans) == 2
    assert len([it for it in (tmp_path / "spool").iterdir() if any(it.iterdir())]) == 1


def test_service_name_decides_what_is_adopted(received: Received) -> None:
    """The next process of the same service sends what waits; one of another service does not."""

    def provider_of(name: str) -> TracerProvider:
        return TracerProvider(resource=Resource({"service.name": name}), shutdown_on_exit=False)

    arguments: dict[str, Any] = {"protocol": HTTP}
    with configure(tracer_provider=provider_of("shop"), endpoint=NOWHERE, **arguments):
        runs(2)
    arguments["endpoint"] = received.url
    with configure(tracer_provider=provider_of("other"), **arguments) as other:
        runs(1)
    assert other.stats() == Stats(ended=1, sent=1)
    with configure(tracer_provider=provider_of("shop"), **arguments) as shop:
        pass
    assert shop.stats() == Stats(adopted=2, sent=2, replayed=2)
    assert sorted(received.services) == ["other", "shop"]


def test_application_may_shut_its_provider_down_first(
    received: Received, provider: TracerProvider
) -> None:
    """That shuts our pipeline down; the account and SIGTERM are then as after a shutdown."""
    with configure(tracer_provider=provider, endpoint=received.url, protocol=HTTP) as handle:
        runs(1)
        provider.shutdown()
        assert handle.stats() == Stats(ended=1, sent=1)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


# ---------------------------------------------------------------------------- what is kept


@pytest.mark.parametrize(
    ("arguments", "environ", "folder", "durable"),
    [
        ({}, {}, "state/otelbridge/spool", False),
        ({}, {"OTELBRIDGE_SPOOL": "named"}, "named", False),
        ({}, {"OTELBRIDGE_SPOOL": "~/named"}, "home/named", False),
        ({}, {"OTELBRIDGE_SPOOL": "OFF"}, None, False),
        ({"spool": "given"}, {"OTELBRIDGE_SPOOL": "off"}, "given", False),
        ({"spool": Path("given")}, {}, "given", False),
        ({"spool": False}, {"OTELBRIDGE_SPOOL": "named"}, None, False),
        ({"durable": True}, {"OTELBRIDGE_SPOOL": "named"}, "named", True),
        ({}, {"OTELBRIDGE_SPOOL": "named", "OTELBRIDGE_DURABLE": "True"}, "named", True),
        ({"durable": False, "spool": False}, {"OTELBRIDGE_DURABLE": "true"}, None, False),
    ],
)
def test_arguments_go_before_variables(
    arguments: dict[str, Any],
    environ: dict[str, str],
    folder: str | None,
    durable: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The folder of the spool, and whether each span goes there; nothing is made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    kept = Keeping.of(Arguments(**arguments), environ)
    assert kept == Keeping(None if folder is None else tmp_path / folder, durable)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("home", [RuntimeError("no home"), Path("~/.local/state/otelbridge")])
def test_user_without_a_home_has_a_spool_too(
    home: Path | RuntimeError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose user is a number: it is in the folder for temporary files."""

    def state_path(*_: object, **__: object) -> Path:
        if isinstance(home, RuntimeError):
            raise home
        return home

    monkeypatch.setattr(keeping, "user_state_path", state_path)
    folder = Keeping.of(Arguments(), {}).folder
    assert folder is not None
    assert folder.parent.parent == Path(tempfile.gettempdir())


def test_durable_without_a_spool_is_refused() -> None:
    """The one needs the other, which is said before anything is changed."""
    with pytest.raises(ConfigurationError, match="durable needs the spool, which is off"):
        configure(endpoint=NOWHERE, durable=True, spool=False)
    with pytest.raises(ConfigurationError, match="set it to off for no spool, or the path"):
        Keeping.of(Arguments(), {"OTELBRIDGE_SPOOL": "false"})
    with pytest.raises(ConfigurationError, match="OTELBRIDGE_SPOOL=off"):
        Keeping.of(Arguments(), {"OTELBRIDGE_SPOOL": "off", "OTELBRIDGE_DURABLE": "true"})


@pytest.mark.parametrize("name", ["OTELBRIDGE_DURABLE", "OTELBRIDGE_SIGTERM"])
def test_flags_are_read_strictly(
    name: str, monkeypatch: pytest.MonkeyPatch, provider: TracerProvider
) -> None:
    """Anything but true and false is refused."""
    monkeypatch.setenv(name, "maybe")
    with pytest.raises(ConfigurationError, match=f"{name}='maybe'.*true or false"):
        configure(tracer_provider=provider, endpoint=NOWHERE)


@pytest.mark.parametrize(
    ("value", "cure"), [(True, "path of a folder"), ("", "path of a folder"), (3, "or False")]
)
def test_wrong_spool_is_refused(value: object, cure: str) -> None:
    """It is a path, or False."""
    with pytest.raises(ConfigurationError, match=cure):
        configure(spool=value)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------- batches


def test_standard_variables_of_the_batch_processor_hold(
    monkeypatch: pytest.MonkeyPatch, provider: TracerProvider
) -> None:
    """Delay, queue, batch and timeout; the shorter of two timeouts counts."""
    assert Batching.of({}) == Batching()
    assert Batching.of({"OTEL_BSP_SCHEDULE_DELAY": "9" * 30}).delay_s == 86_400
    variables = {
        "OTEL_BSP_SCHEDULE_DELAY": "1500",
        "OTEL_BSP_MAX_QUEUE_SIZE": "100",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10",
        "OTEL_BSP_EXPORT_TIMEOUT": "2500",
    }
    assert Batching.of(variables) == Batching(delay_s=1.5, queue=100, batch=10, timeout_s=2.5)
    for name, value in {**variables, "OTEL_EXPORTER_OTLP_TIMEOUT": "2"}.items():
        monkeypatch.setenv(name, value)
    with configure(tracer_provider=provider, endpoint=NOWHERE, protocol=HTTP):
        relay = provider._active_span_processor._span_processors[0]
        pipeline = relay.targets[0]  # type: ignore[attr-defined]
        assert isinstance(pipeline, Pipeline)
        expected = Batching(delay_s=1.5, queue=100, batch=10, timeout_s=2.0)
        assert pipeline._batching == expected
