"""The fields of OTLP's trace messages: what each is in protobuf and in JSON.

The source is opentelemetry-proto (``trace/v1``, ``common/v1``, ``resource/v1``, ``collector``).
Messages list their fields in the order in which ``otelbridge.encoding`` writes them, so that a span
that it wrote is the same bytes again after it was JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "message", "text", "id", "bytes", "bool", "int64", "double", "fixed64", "fixed32", "uint32",
    "int32", "enum",
]  # fmt: skip
Presence = Literal["set", "always", "together"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        number: in protobuf.
        name: in JSON, in lowerCamelCase.
        kind: what it holds; an ``id`` is bytes that JSON has in hex.
        of: the message, or the enum's names, by the name of either; else nothing.
        repeated: whether it is a list.
        presence: when it is written as protobuf: ``set``: where it is not its default;
            ``always``: also then; ``together``: where any of the message's ``together`` is not.
    """

    number: int
    name: str
    kind: Kind
    of: str = ""
    repeated: bool = False
    presence: Presence = "set"

    @property
    def snake(self) -> str:
        """The name in snake_case, as protobuf has it."""
        return "".join(f"_{it.lower()}" if it.isupper() else it for it in self.name)


def _many(number: int, name: str, of: str) -> Field:
    return Field(number, name, "message", of, repeated=True)


MESSAGES: Final[dict[str, tuple[Field, ...]]] = {
    "Request": (_many(1, "resourceSpans", "ResourceSpans"),),
    "ResourceSpans": (
        Field(1, "resource", "message", "Resource"),
        _many(2, "scopeSpans", "ScopeSpans"),
        Field(3, "schemaUrl", "text"),
    ),
    "ScopeSpans": (
        Field(1, "scope", "message", "Scope"),
        _many(2, "spans", "Span"),
        Field(3, "schemaUrl", "text"),
    ),
    "Resource": (
        _many(1, "attributes", "KeyValue"),
        Field(2, "droppedAttributesCount", "uint32"),
        _many(3, "entityRefs", "EntityRef"),
    ),
    "EntityRef": (
        Field(1, "schemaUrl", "text"),
        Field(2, "type", "text"),
        Field(3, "idKeys", "text", repeated=True),
        Field(4, "descriptionKeys", "text", repeated=True),
    ),
    "Scope": (
        Field(1, "name", "text"),
        Field(2, "version", "text"),
        _many(3, "attributes", "KeyValue"),
        Field(4, "droppedAttributesCount", "uint32"),
    ),
    "Span": (
        Field(1, "traceId", "id", presence="always"),
        Field(2, "spanId", "id", presence="always"),
        Field(5, "name", "text", presence="always"),
        Field(6, "kind", "enum", "SPAN_KIND"),
        Field(7, "startTimeUnixNano", "fixed64", presence="always"),
        Field(8, "endTimeUnixNano", "fixed64", presence="always"),
        Field(3, "traceState", "text"),
        Field(4, "parentSpanId", "id"),
        Field(16, "flags", "fixed32"),
        _many(9, "attributes", "KeyValue"),
        _many(11, "events", "Event"),
        _many(13, "links", "Link"),
        Field(10, "droppedAttributesCount", "uint32", presence="together"),
        Field(12, "droppedEventsCount", "uint32", presence="together"),
        Field(14, "droppedLinksCount", "uint32", presence="together"),
        Field(15, "status", "message", "Status"),
    ),
    "Event": (
        Field(1, "timeUnixNano", "fixed64", presence="always"),
        Field(2, "name", "text", presence="always"),
        _many(3, "attributes", "KeyValue"),
        Field(4, "droppedAttributesCount", "uint32"),
    ),
    "Link": (
        Field(1, "traceId", "id", presence="always"),
        Field(2, "spanId", "id", presence="always"),
        Field(3, "traceState", "text"),
        Field(6, "flags", "fixed32"),
        _many(4, "attributes", "KeyValue"),
        Field(5, "droppedAttributesCount", "uint32"),
    ),
    "Status": (
        Field(2, "message", "text", presence="together"),
        Field(3, "code", "enum", "STATUS_CODE", presence="together"),
    ),
    "KeyValue": (
        Field(1, "key", "text", presence="always"),
        Field(2, "value", "message", "AnyValue"),
    ),
    "AnyValue": (  # one of these, its default too
        Field(1, "stringValue", "text"),
        Field(2, "boolValue", "bool"),
        Field(3, "intValue", "int64"),
        Field(4, "doubleValue", "double"),
        Field(5, "arrayValue", "message", "ArrayValue"),
        Field(6, "kvlistValue", "message", "KeyValueList"),
        Field(7, "bytesValue", "bytes"),
    ),
    "ArrayValue": (_many(1, "values", "AnyValue"),),
    "KeyValueList": (_many(1, "values", "KeyValue"),),
}

ENUMS: Final[dict[str, tuple[str, ...]]] = {
    "SPAN_KIND": ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"),
    "STATUS_CODE": ("UNSET", "OK", "ERROR"),
}
"""Each enum's names by number, behind its own name and an underscore."""
