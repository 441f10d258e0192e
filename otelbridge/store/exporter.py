"""Spans of an OpenTelemetry SDK that others have set up, written to the store as they end."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otelbridge.encoding.encode import Encoder
from otelbridge.encoding.units import request
from otelbridge.errors import StoreError
from otelbridge.store._store import Store

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_log = logging.getLogger(__name__)


class StoreExporter(SpanExporter):
    """Writes ended spans to the store: ``opentelemetry-instrument --traces_exporter otelbridge``.

    For SDKs that are not set up by ``configure``, which shows spans while they run.

    Args:
        path: the file. Default: OTELBRIDGE_STORE, else ``traces.db`` in the user's data folder.

    Raises:
        StoreError: the store cannot be opened; the message says the cure.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._store = Store(path)
        self._encoder = Encoder()
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write these; they are on the disk on return. The first failure in a row is logged."""
        try:
            added = self._store.add(request([self._encoder.item(span) for span in spans]))
        except StoreError as error:
            if not self._failing:
                _log.warning("%d spans are not stored: %s", len(spans), error)
            self._failing = True
            return SpanExportResult.FAILURE
        self._failing = False
        if added.rejected:
            _log.warning("%d spans are not stored: %s", added.rejected, added.message)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return True: nothing waits here."""
        return True

    def shutdown(self) -> None:
        """Let go of the file."""
        self._store.close()
