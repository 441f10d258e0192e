"""Which tracer makes the spans: given, set late, in use here, or the process's."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from ways import threaded

from otelbridge import ConfigurationError, RunnableLambda, _tracing, start_run
from otelbridge._tracing import Recording, Tracing
from otelbridge.testing import CapturedRuns


def captured_by(provider: TracerProvider) -> CapturedRuns:
    """What a provider's spans are."""
    return CapturedRuns(provider, Recording())


def provider() -> TracerProvider:
    """A provider that is not global."""
    return TracerProvider(shutdown_on_exit=False)


def test_provider_that_is_set_late_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs before it are not recorded, runs after it are; nothing else is to be done."""
    late = provider()
    captured = captured_by(late)
    tracing = Tracing(recording=Recording())
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    with _tracing.use(tracing):
        RunnableLambda(str).invoke(1)
        assert tracing.absent
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", late)
        RunnableLambda(str).invoke(1)
        threaded(lambda: RunnableLambda(repr).invoke(1))
    assert captured.names == ["str", "repr"]
    assert not tracing.absent


def test_noop_provider_records_nothing() -> None:
    """It is as no provider at all."""
    tracing = Tracing(trace.NoOpTracerProvider(), Recording())
    with _tracing.use(tracing), start_run("job") as run:
        run.event("e", 1)
    assert tracing.absent
    assert not run.recorded


def test_default_may_be_set_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """set_default gives what was set before; use goes before it, in this context alone."""
    monkeypatch.setattr(_tracing, "_default", None)
    first, second = provider(), provider()
    by_default, by_use = captured_by(first), captured_by(second)
    tracing = Tracing(first, Recording())
    assert _tracing.set_default(tracing) is None
    assert _tracing.default() is _tracing.current() is tracing
    RunnableLambda(str).invoke(1)
    with _tracing.use(Tracing(second, Recording())) as used:
        assert _tracing.current() is used
        RunnableLambda(repr).invoke(1)
    RunnableLambda(int).invoke(1)
    assert _tracing.set_default(None) is tracing
    assert (by_default.names, by_use.names) == (["str", "int"], ["repr"])


def test_runs_below_have_the_tracing_of_their_root() -> None:
    """Whatever is in use where they begin."""
    first, second = provider(), provider()
    by_first, by_second = captured_by(first), captured_by(second)
    with _tracing.use(Tracing(first, Recording())):
        with start_run("outer"):
            with _tracing.use(Tracing(second, Recording())):
                RunnableLambda(str).invoke(1)
    assert (by_first.names, by_second.names) == (["outer", "str"], [])


def test_rules_are_read_from_the_environment() -> None:
    """Content, denied keys, and what of configurable may leave."""
    assert Recording.from_env({}) == Recording(denied_keys=frozenset())
    for value, captures in (("true", True), ("SPAN_ONLY", True), ("1", True), ("no", False)):
        environ = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": value}
        assert Recording.from_env(environ).capture_content is captures
    rules = Recording.from_env(
        {"OTELBRIDGE_DENIED_KEYS": "a, b,,", "OTELBRIDGE_CONFIGURABLE_KEYS": "thread_id"}
    )
    assert rules.denied_keys == {"a", "b"}
    assert rules.configurable_keys == {"thread_id"}


def test_wrong_variable_does_not_break_a_program(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; what must not leave still does not."""
    monkeypatch.setattr(_tracing, "_default", None)
    monkeypatch.setattr(_tracing, "_said", {})
    monkeypatch.setenv("OTELBRIDGE_MAX_DEPTH", "many")
    monkeypatch.setenv("OTELBRIDGE_DENIED_KEYS", "secret")
    with pytest.raises(ConfigurationError, match="OTELBRIDGE_MAX_DEPTH"):
        Recording.from_env()
    assert RunnableLambda(str).invoke(1) == "1"
    assert _tracing.default().recording.denied_keys == {"secret"}
    assert "otelbridge could not read the settings; the program goes on" in caplog.text


def test_one_failure_is_said_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Then with how often it was not said."""
    monkeypatch.setattr(_tracing, "_said", {})
    now = [100.0]
    monkeypatch.setattr(_tracing, "monotonic", lambda: now[0])

    def failing() -> None:
        try:
            raise OSError("down")
        except OSError:
            _tracing.guard("send")

    with caplog.at_level(logging.WARNING, "otelbridge"):
        for _ in range(3):
            failing()
        now[0] += 61
        failing()
    assert [record.getMessage() for record in caplog.records] == [
        "otelbridge could not send; the program goes on",
        "otelbridge could not send; the program goes on (2 times more since it was last said)",
    ]


def test_import_brings_nothing_that_is_not_needed() -> None:
    """No SDK, no exporter, no HTTP or gRPC client, no retry library, no langchain."""
    unwanted = (
        "opentelemetry.sdk opentelemetry.exporter grpc requests urllib3 tenacity pydantic rich "
        "langchain_core langgraph"
    )
    program = (
        "import sys, otelbridge\n"
        "otelbridge.RunnableLambda(str).invoke(1)\n"
        f"print([name for name in {unwanted!r}.split() if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.mark.parametrize(
    ("value", "captures"),
    [
        ("SPAN_ONLY", True),
        ("span_and_event", True),
        (" True ", True),
        ("1", True),
        ("NO_CONTENT", False),
        ("EVENT_ONLY", False),
        ("false", False),
        ("0", False),
        ("", False),
    ],
)
def test_content_is_captured_as_the_standard_variable_says(
    value: str, captures: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its four values, in any case of letters, and what was used before them."""
    assert Recording.from_env({CONTENT: value}).capture_content is captures
    assert caplog.records == []


def test_unknown_value_of_the_content_variable_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Content stays out, and the warning says what to set."""
    for _ in range(2):
        assert not Recording.from_env({CONTENT: "Maybe"}).capture_content
    (record,) = caplog.records
    assert f"{CONTENT}='Maybe'" in record.getMessage()
    assert "SPAN_ONLY" in record.getMessage()


async def aredact(key: str, value: object) -> object:
    return value


@pytest.mark.parametrize(
    ("redact", "why"),
    [
        (lambda value: value, "too many positional arguments"),
        (lambda key, value, run: value, "missing a required argument: 'run'"),
        (lambda *, key, value: value, "too many positional arguments"),
        ("redact", "is not a callable"),
        (aredact, "coroutine function"),
    ],
)
def test_redact_that_cannot_be_called_is_refused_at_set_up(redact: object, why: str) -> None:
    """The error says what it is called with."""
    with pytest.raises(ConfigurationError, match=why) as raised:
        Recording(redact=redact)  # type: ignore[arg-type]
    assert "redact(key, value)" in str(raised.value)


@pytest.mark.parametrize("redact", [lambda key, value: 1, lambda *args: 1, max, dict.get])
def test_redact_that_can_be_called_is_taken(redact: object) -> None:
    """Also where Python cannot tell what it takes."""
    assert Recording(redact=redact).redact is redact  # type: ignore[arg-type]
