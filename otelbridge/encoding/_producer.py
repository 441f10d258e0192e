"""Who produced a span, as OTLP bytes: resource and instrumentation scope.

Written as the official encoder of 1.45 does; that of 1.28 leaves out a scope's attributes and
schema URL. The field numbers are those of opentelemetry-proto, ``resource/v1/resource.proto`` and
``common/v1/common.proto``.
"""

from __future__ import annotations

from typing import Any

from otelbridge.encoding import _fit
from otelbridge.encoding._ended import part
from otelbridge.encoding._protobuf import field
from otelbridge.encoding._values import put_attributes
from otelbridge.encoding.units import Group


def group_of(resource: Any, scope: Any) -> Group:
    """Return a group of the span's resource and scope, either of which may be None."""
    return Group(
        _attributes(b"\x0a", part(resource, "attributes")),
        _fit.text(part(resource, "schema_url")),
        _scope(scope),
        _fit.text(part(scope, "schema_url")),
    )


def _scope(scope: Any) -> bytes:
    parts = [
        field(tag, text.encode())
        for tag, text in ((b"\x0a", _text(scope, "name")), (b"\x12", _text(scope, "version")))
        if text
    ]
    return b"".join(parts) + _attributes(b"\x1a", part(scope, "attributes"))


def _text(scope: Any, name: str) -> str:
    return _fit.text(part(scope, name))


def _attributes(tag: bytes, attributes: Any) -> bytes:
    parts: list[bytes] = []
    put_attributes(parts, tag, _fit.attributes(attributes))
    return b"".join(parts)
