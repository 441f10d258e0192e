"""The arguments of ``configure``, checked and kept for comparison."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.util.types import AttributeValue

from otelbridge._tracing import Redact
from otelbridge.errors import ConfigurationError

PROTOCOLS = ("grpc", "http/protobuf")


@dataclass(frozen=True)
class Arguments:
    """What ``configure`` was called with; None is not given. See there for what each means.

    Raises:
        ConfigurationError: a value is of the wrong type.
    """

    endpoint: str | None = None
    protocol: str | None = None
    headers: Mapping[str, str] | None = None
    insecure: bool | None = None
    certificate: str | os.PathLike[str] | None = None
    service_name: str | None = None
    resource_attributes: Mapping[str, AttributeValue] | None = None
    sampler: Sampler | float | None = None
    console: bool | None = None
    store: str | os.PathLike[str] | bool | None = None
    durable: bool | None = None
    spool: str | os.PathLike[str] | Literal[False] | None = None
    stop_on_sigterm: bool | None = None
    tracer_provider: TracerProvider | None = None
    capture_content: bool | None = None
    redact: Redact | None = None
    denied_keys: Collection[str] | None = None
    configurable_keys: Collection[str] | None = None
    max_string_bytes: int | None = None
    max_event_bytes: int | None = None
    max_event_keys: int | None = None
    max_depth: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            fits, expected = _RULES[field.name]
            if value is not None and not fits(value):
                raise ConfigurationError(
                    f"configure({field.name}={_shown(field.name, value)}) cannot be used"
                    f"{_wrong_part(field.name, value)}: pass {expected}"
                )
            # The caller's dict or list may change later; the comparison needs what it was.
            object.__setattr__(self, field.name, _copied(value))

    @property
    def given(self) -> list[str]:
        """The names of the arguments that were given."""
        return [field.name for field in fields(self) if getattr(self, field.name) is not None]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_protocol(value: Any) -> bool:
    return value in PROTOCOLS


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike))


def _is_path_or_false(value: Any) -> bool:
    return value is False or (_is_path(value) and bool(os.fspath(value)))


def _is_path_or_flag(value: Any) -> bool:
    return _is_flag(value) or (_is_path(value) and bool(os.fspath(value)))


def _are_headers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(is_header, value.keys(), value.values()))


def is_header(name: Any, value: Any) -> bool:
    """Tell whether HTTP and gRPC can both carry this header."""
    return (
        (isinstance(name, str) and isinstance(value, str))
        and (bool(name) and name.isascii() and name.replace("-", "_").isidentifier())
        and (value.isascii() and value.isprintable())
    )


def _are_attributes(value: Any) -> bool:
    plain = (str, bool, int, float)
    return isinstance(value, Mapping) and all(
        _is_text(key)
        and (
            isinstance(held, plain)
            or (isinstance(held, (list, tuple)) and all(isinstance(item, plain) for item in held))
        )
        for key, held in value.items()
    )


def _are_names(value: Any) -> bool:
    return (
        isinstance(value, Collection)
        and not isinstance(value, (str, bytes, Mapping))
        and all(map(_is_text, value))
    )


def _is_sampler(value: Any) -> bool:
    is_ratio = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
    return is_ratio or callable(getattr(value, "should_sample", None))


def _is_provider(value: Any) -> bool:
    return callable(getattr(value, "add_span_processor", None)) and hasattr(value, "get_tracer")


_URL = (_is_text, 'a URL such as "http://localhost:4318"')
_NAMES = (_are_names, 'a list of key names, such as ["password"]')
_CONFIGURABLE = (_are_names, 'a list of key names, such as ["thread_id"]')
_FLAG = (_is_flag, "True or False")
_WHOLE = (_is_whole, "a whole number")
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "endpoint": _URL,
    "protocol": (_is_protocol, " or ".join(map(repr, PROTOCOLS))),
    "headers": (_are_headers, "a mapping of header names to values, both printable ASCII"),
    "insecure": _FLAG,
    "certificate": (_is_path, "the path of a PEM file"),
    "service_name": (_is_text, "a name"),
    "resource_attributes": (_are_attributes, "a mapping of names to str, bool, int or float"),
    "sampler": (
        _is_sampler,
        "a Sampler of opentelemetry.sdk.trace.sampling, or a ratio from 0 to 1",
    ),
    "console": _FLAG,
    "store": (
        _is_path_or_flag,
        'the path of a file, ":memory:", True for the usual file, or False',
    ),
    "durable": _FLAG,
    "spool": (_is_path_or_false, "the path of a folder, or False for none"),
    "stop_on_sigterm": _FLAG,
    "tracer_provider": (_is_provider, "a TracerProvider of opentelemetry.sdk.trace"),
    "capture_content": _FLAG,
    "redact": (callable, "a function redact(key, value) that returns what to record"),
    "denied_keys": _NAMES,
    "configurable_keys": _CONFIGURABLE,
    "max_string_bytes": _WHOLE,
    "max_event_bytes": _WHOLE,
    "max_event_keys": _WHOLE,
    "max_depth": _WHOLE,
}


def _shown(name: str, value: object) -> str:
    # Never what a mapping holds, nor headers in any form: their values are secrets.
    is_plain = isinstance(value, (str, int, float)) and name != "headers"
    return repr(value) if is_plain else f"<{type(value).__name__}>"


def _wrong_part(name: str, value: object) -> str:
    """Name the first header that cannot be used, and never its value."""
    if name == "headers" and isinstance(value, Mapping):
        for key, held in value.items():
            if not is_header(key, held):
                is_text = isinstance(held, str)
                kind = "is not printable ASCII" if is_text else f"is of type {type(held).__name__}"
                part = f"its value {kind}" if is_header(key, "") else "this is no header's name"
                return f" (header {key!r}: {part})"
    return ""


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Collection) and not isinstance(value, (str, bytes)):
        return frozenset(value)
    return value
