"""The embedded store: traces in one SQLite file, written as things happen."""

from otelbridge.errors import StoreError
from otelbridge.store._location import default_path, store_path
from otelbridge.store._retention import MAX_AGE_S, MAX_BYTES
from otelbridge.store._store import Store
from otelbridge.store.otlp_json import otlp_json_to_request
from otelbridge.store.readable import to_readable
from otelbridge.store.records import (
    Added,
    Change,
    EventRecord,
    Filter,
    Hit,
    LinkRecord,
    Pruned,
    SpanRecord,
    StoreStats,
    Trace,
    TraceSummary,
)

__all__ = [
    "MAX_AGE_S",
    "MAX_BYTES",
    "Added",
    "Change",
    "EventRecord",
    "Filter",
    "Hit",
    "LinkRecord",
    "Pruned",
    "SpanRecord",
    "Store",
    "StoreError",
    "StoreStats",
    "Trace",
    "TraceSummary",
    "default_path",
    "otlp_json_to_request",
    "store_path",
    "to_readable",
]
