"""Another instrumentation of LangChain on the same provider is told, once."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from otelbridge.langchain import instrument, instrumented, uninstrument


class Idle:
    def _instrument(self, **kwargs: Any) -> None: ...

    def _uninstrument(self, **kwargs: Any) -> None: ...


class Another(Idle, BaseInstrumentor):
    def instrumentation_dependencies(self) -> Collection[str]:
        return ("langchain-core > 0.1.0",)


class OfSomethingElse(Idle, BaseInstrumentor):
    def instrumentation_dependencies(self) -> Collection[str]:
        return ("flask",)


@pytest.fixture
def another() -> Iterator[BaseInstrumentor]:
    yield Another()
    if Another().is_instrumented_by_opentelemetry:
        Another().uninstrument()


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_one_that_was_there_before(
    another: BaseInstrumentor, caplog: pytest.LogCaptureFixture
) -> None:
    another.instrument(skip_dep_check=True)
    with instrumented():
        RunnableLambda(str).invoke(1)
    (said,) = _said(caplog)
    assert f"{__name__}.Another" in said
    assert "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS" in said


def test_one_that_came_before_the_first_run(
    another: BaseInstrumentor, caplog: pytest.LogCaptureFixture
) -> None:
    instrument()
    try:
        another.instrument(skip_dep_check=True)
        for value in range(3):
            RunnableLambda(str).invoke(value)
    finally:
        uninstrument()
    (said,) = _said(caplog)
    assert f"{__name__}.Another" in said


def test_one_on_another_provider(
    another: BaseInstrumentor, caplog: pytest.LogCaptureFixture
) -> None:
    another.instrument(skip_dep_check=True)
    with instrumented(TracerProvider()):
        RunnableLambda(str).invoke(1)
    assert _said(caplog) == []


def test_of_another_library(caplog: pytest.LogCaptureFixture) -> None:
    other = OfSomethingElse()
    other.instrument(skip_dep_check=True)
    try:
        with instrumented():
            RunnableLambda(str).invoke(1)
    finally:
        other.uninstrument()
    assert _said(caplog) == []
