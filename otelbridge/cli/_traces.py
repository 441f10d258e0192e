"""The store as commands open it, and traces as they list them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from otelbridge.cli._output import Column, Output
from otelbridge.cli._values import clock
from otelbridge.export.terminal import Part
from otelbridge.export.tree import duration
from otelbridge.store import Store, StoreError, default_path
from otelbridge.store.records import TraceSummary

SHORT = 8
"""Digits of a trace id that lists show; commands take any number of its first digits."""

_COLUMNS = (
    *(Column("TRACE"), Column("STARTED"), Column("TOOK", is_number=True), Column("STATE")),
    *(Column(title, is_number=True) for title in ("SPANS", "EVENTS", "ERRORS")),
    *(Column("SERVICE", may_be_cut=True), Column("NAME", may_be_cut=True)),
)


def opened(path: str | None) -> Store:
    """Open the store to read; one that is not there yet is made, and empty.

    Raises:
        StoreError: it cannot be opened.
    """
    if path == ":memory:":
        raise StoreError(
            "the store :memory: is one process's own, so there is nothing to read from here: unset "
            "OTELBRIDGE_STORE, or give --store FILE"
        )
    return Store(file_of(path))


def file_of(path: str | None) -> Path:
    """Return the store's file: the one given, else the usual one."""
    return default_path() if path is None or path.lower() == "off" else Path(path)


def say_empty(output: Output, store: Store, *, narrowed: bool) -> None:
    """Say what to do next, where nothing is there."""
    if narrowed:
        output.line(("", "No trace fits. Leave some options out, or see otelbridge list."))
    else:
        output.line(("", f"No traces yet in {store.path}."))
        output.line(("", "Make some: otelbridge demo, or otelbridge run YOUR_SCRIPT.py"))


def list_traces(output: Output, traces: Iterable[TraceSummary]) -> None:
    """Print a table of traces."""
    output.table(_COLUMNS, [_row(trace) for trace in traces])


def _row(trace: TraceSummary) -> tuple[Part, ...]:
    return (
        ("event", trace.trace_id[:SHORT]),
        ("dim", clock(trace.start_ns)),
        ("", took(trace)),
        state(trace),
        ("", f"{trace.spans:,}"),
        ("", f"{trace.events:,}"),
        ("error" if trace.errors else "", f"{trace.errors:,}"),
        ("dim", trace.service),
        ("name", trace.name),
    )


def took(trace: TraceSummary) -> str:
    """Return how long a trace took; nothing for one that runs or was lost."""
    return "" if trace.end_ns is None else duration(trace.end_ns - trace.start_ns)


def state(trace: TraceSummary) -> Part:
    """Return in one word how a trace goes or went."""
    if trace.state != "ended":
        return "outcome", trace.state
    if trace.status == "error":
        return "error", "error"
    if trace.outcome:
        return "outcome", trace.outcome
    return "", "ok"
