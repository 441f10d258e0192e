"""Which tracer makes the spans, and what they may carry.

A ``Tracing`` joins a tracer provider with the rules of what is recorded. Every run has one: its
parent run's, else the one in use here (``use``), else the process's default.
"""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any, cast

from opentelemetry import trace

from otelbridge import semconv
from otelbridge._attributes import Bounds, Gate
from otelbridge._limits import Limits, limits_of
from otelbridge._record import Record
from otelbridge._sdk_start import starter_of
from otelbridge._version import __version__
from otelbridge.errors import ConfigurationError

logger = logging.getLogger("otelbridge")

Redact = Callable[[str, Any], Any]

_CAPTURE_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
# The standard's values and what was used before them. Content goes to spans or nowhere.
_CAPTURE_VALUES = frozenset({"true", "1", "span_only", "span_and_event"})
_NO_CAPTURE_VALUES = frozenset({"", "false", "0", "no_content", "event_only"})


class Recording(Record):
    """What of a run may leave the process.

    Attributes:
        bounds: sizes past which a value is cut.
        capture_content: record inputs and outputs of runs.
        redact: called as ``redact(key, value)`` for every value that leaves; gives what leaves.
        denied_keys: key names whose values are never recorded, whatever their case.
        configurable_keys: keys of a config's ``configurable`` that may be recorded.

    Raises:
        ConfigurationError: ``redact`` cannot be called so.
    """

    __slots__ = ("bounds", "capture_content", "redact", "denied_keys", "configurable_keys")

    def __init__(
        self,
        bounds: Bounds | None = None,
        capture_content: bool = False,
        redact: Redact | None = None,
        denied_keys: Collection[str] = (),
        configurable_keys: frozenset[str] = frozenset(),
    ) -> None:
        self.bounds = bounds or Bounds()
        self.capture_content = capture_content
        self.redact = _checked(redact)
        self.denied_keys = denied_keys
        self.configurable_keys = configurable_keys

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Recording:
        """Read the rules from OTELBRIDGE_* and the GenAI content variable.

        Raises:
            ConfigurationError: a variable holds what cannot be used.
        """
        return cls(
            bounds=Bounds.from_env(environ),
            capture_content=_captures(environ.get(_CAPTURE_VARIABLE, "")),
            denied_keys=_names(environ.get("OTELBRIDGE_DENIED_KEYS", "")),
            configurable_keys=_names(environ.get("OTELBRIDGE_CONFIGURABLE_KEYS", "")),
        )


def _captures(text: str) -> bool:
    value = text.strip().lower()
    if value not in _CAPTURE_VALUES and value not in _NO_CAPTURE_VALUES and value not in _unknown:
        _unknown.add(value)
        logger.warning(
            "otelbridge records no inputs and outputs: %s=%r is not known. Set it to SPAN_ONLY or "
            "SPAN_AND_EVENT (or true) to record them, to NO_CONTENT (or false) not to",
            _CAPTURE_VARIABLE,
            text,
        )
    return value in _CAPTURE_VALUES


_unknown: set[str] = set()  # what was warned of: once is enough


def _checked(redact: Redact | None) -> Redact | None:
    """Return ``redact``, which may be called with a key and a value."""
    if redact is None:
        return None
    try:
        inspect.signature(redact).bind("key", "value")
    except ValueError:  # a function of C without a signature
        return redact
    except TypeError as error:
        raise ConfigurationError(
            f"redact={redact!r} cannot be used ({error}): pass a function redact(key, value) that "
            "returns what to record"
        ) from error
    if inspect.iscoroutinefunction(redact):
        raise ConfigurationError(
            f"redact={redact!r} cannot be used: it is a coroutine function, and nobody can await "
            "it where a value leaves. Pass a plain function redact(key, value)"
        )
    return redact


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


_PLACES = 8  # id, type, and what the end of a run may add


class Tracing:
    """A tracer provider and the rules of what is recorded.

    Args:
        provider: makes the tracer; None means the global provider, found also when it is set later.
        recording: the rules; None means the environment's.
    """

    __slots__ = (
        "_given",
        "_seen",
        "_tracer",
        "absent",
        "gate",
        "limits",
        "recording",
        "start",
        "starts_plain",
    )

    def __init__(
        self, provider: trace.TracerProvider | None = None, recording: Recording | None = None
    ) -> None:
        self.recording = Recording.from_env() if recording is None else recording
        self._given = provider
        self._seen: object = _UNSEEN
        self._tracer: trace.Tracer = trace.NoOpTracer()
        self.start = starter_of(self._tracer)  # of a run's span; ``follow`` comes before
        self.limits = Limits()
        self.gate = Gate()
        self.starts_plain = True  # a run's id and type fit as they are
        self.absent = True  # no SDK: nothing can be recorded, so nothing need be prepared
        self.tracer()

    def tracer(self) -> trace.Tracer:
        """Return the tracer of the provider as it is now."""
        self.follow()
        return self._tracer

    def follow(self) -> None:
        """Follow the provider, which may be set or replaced at any time."""
        # While no provider is set, the API's get_tracer_provider() reads the environment, which
        # costs more than the rest of an untraced run; its global is only compared here.
        provider = self._given or getattr(trace, "_TRACER_PROVIDER", None) or _PROXY
        if provider is not self._seen:
            self._adopt(provider)

    def _adopt(self, provider: object) -> None:
        rules = self.recording
        self.limits = limits_of(provider)
        self.gate = Gate(
            rules.bounds, self.limits, redact=rules.redact, denied_keys=rules.denied_keys
        )
        self.absent = provider is _PROXY or isinstance(provider, trace.NoOpTracerProvider)
        limits = self.limits
        self.starts_plain = (
            not rules.configurable_keys
            and limits.span_value_length is None
            and (limits.span_attributes is None or limits.span_attributes >= _PLACES)
        )
        maker = None if provider is _PROXY else cast("trace.TracerProvider", provider)
        self._seen = provider
        try:
            self._tracer = trace.get_tracer(
                semconv.SCOPE_NAME, __version__, maker, schema_url=semconv.SCHEMA_URL
            )
        except Exception:
            self._tracer, self.absent = trace.NoOpTracer(), True
            guard("get a tracer")
        self.start = starter_of(self._tracer)


_UNSEEN = object()


_PROXY: object = object()
_default: Tracing | None = None
_in_use: ContextVar[Tracing | None] = ContextVar("otelbridge_tracing", default=None)


def default() -> Tracing:
    """Return the process's tracing, made from the environment at the first call."""
    global _default
    if _default is None:
        try:
            _default = Tracing()
        except Exception:
            # A bad variable must not break a program that only runs runnables: configure() says it.
            guard("read the settings")
            # What must not leave still does not, and bounds are bounds: only theirs are left out.
            kept = {k: v for k, v in os.environ.items() if not k.startswith("OTELBRIDGE_MAX_")}
            _default = Tracing(recording=Recording.from_env(kept))
    return _default


def set_default(tracing: Tracing | None) -> Tracing | None:
    """Make ``tracing`` the process's; return what was set before (None: the environment's)."""
    global _default
    previous, _default = _default, tracing
    return previous


def current() -> Tracing:
    """Return the tracing in use here: of ``use``, else the process's."""
    return _in_use.get() or _default or default()


def in_use() -> Tracing | None:
    """Return the tracing of the ``use`` block here, or None outside of any."""
    return _in_use.get()


@contextmanager
def use(tracing: Tracing) -> Iterator[Tracing]:
    """Use ``tracing`` for root runs begun inside this block, in this context only."""
    token = _in_use.set(tracing)
    try:
        yield tracing
    finally:
        _in_use.reset(token)


def guard(doing: str) -> None:
    """Log the exception being handled: telemetry failed and the program goes on.

    Called in an ``except Exception`` block; every place that keeps a failure of telemetry away
    from the program ends here. The same failure is logged once a minute, with its count.
    """
    now = monotonic()
    since, missed = _said.get(doing, (0.0, 0))
    if since and now - since < _SAY_EVERY_S:
        _said[doing] = (since, missed + 1)
        return
    _said[doing] = (now, 0)
    again = f" ({missed} times more since it was last said)" if missed else ""
    logger.warning("otelbridge could not %s; the program goes on%s", doing, again, exc_info=True)


_SAY_EVERY_S = 60.0
_said: dict[str, tuple[float, int]] = {}
