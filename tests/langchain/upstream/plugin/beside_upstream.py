"""A pytest plugin for the suites of LangChain and LangGraph: instruments, and writes each outcome.

Loaded by ``-p``, before anything of LangChain is. ``UPSTREAM_WAY`` says how to instrument (one of
``alone``, ``instrumented``, ``content``), ``UPSTREAM_RESULTS`` where the outcomes go, as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CONTENT = {"otelbridge.run.input", "gen_ai.input.messages"}
"""What spans have with content alone."""

tests: dict[str, str] = {}
"""The outcome of each test, by its id: ``passed``, ``failed in call: ValueError``, ..."""
spans = {"started": 0, "ended": 0, "with content": 0}
still_open: dict[int, str] = {}
"""Of each span that has not ended, its name and the test in which it began."""


def _instrument(*, content: bool) -> None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    import otelbridge.langchain

    class Counter(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            spans["started"] += 1
            where = os.environ.get("PYTEST_CURRENT_TEST", "no test")
            still_open[span.context.span_id] = f"{span.name}, begun in {where}"

        def on_end(self, span: Any) -> None:
            spans["ended"] += 1
            still_open.pop(span.context.span_id, None)
            spans["with content"] += not CONTENT.isdisjoint(span.attributes)

    provider = TracerProvider()
    provider.add_span_processor(Counter())
    meter_provider = MeterProvider([InMemoryMetricReader()])
    otelbridge.langchain.instrument(provider, meter_provider, capture_content=content)


# What pytest needs for the suite's `filterwarnings` is there already, and is not instrumented.
if early := {"langchain_core.callbacks", "langchain_core.runnables", "langgraph"} & set(
    sys.modules
):
    raise RuntimeError(f"imported before the instrumentation: {', '.join(sorted(early))}")
if (way := os.environ["UPSTREAM_WAY"]) != "alone":
    _instrument(content=way == "content")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """Keep a test's outcome: that of the first of its phases that did not pass."""
    report = yield
    if report.when == "call" or report.outcome != "passed":
        tests.setdefault(item.nodeid, _outcome(report, call.excinfo))
        if report.when == "teardown" and report.failed:
            tests[item.nodeid] += f", then {_outcome(report, call.excinfo)}"
    return report


def _outcome(report: Any, error: Any) -> str:
    if hasattr(report, "wasxfail"):
        return "xpassed" if report.passed else "xfailed"
    if not report.failed:
        return str(report.outcome)
    return f"failed in {report.when}" + (f": {error.type.__name__}" if error else "")


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Keep a file that cannot be collected."""
    if report.failed:
        tests[report.nodeid] = "failed to collect"


def pytest_sessionfinish() -> None:
    """Write everything; what nobody holds any more has ended by then."""
    gc.collect()
    told = {"tests": tests, "spans": spans, "open": list(still_open.values())}
    Path(os.environ["UPSTREAM_RESULTS"]).write_text(json.dumps(told))
