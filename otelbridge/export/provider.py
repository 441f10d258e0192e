"""The tracer provider: the application's, or one of ours, and how our output hangs on it.

Relied on in opentelemetry-sdk: ``TracerProvider._active_span_processor``, with its tuple
``_span_processors`` and its ``_lock``, to see and to remove a processor; ``TracerProvider``'s
``_resource`` and ``Tracer``'s ``resource`` and ``sampler``, to renew a provider that cannot be
replaced. Where the first are missing, a provider counts as one that has an output already, and our
processor stays on it without doing anything.
"""

from __future__ import annotations

import threading
import weakref
from time import monotonic
from typing import Any, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, Tracer, TracerProvider

from otelbridge import _tracing
from otelbridge.errors import ConfigurationError
from otelbridge.export.identity import Identity


class Relay(SpanProcessor):
    """The one processor that we add to a provider; it passes all on to ``targets``.

    OTel can add a processor but not remove one, and can set a global provider only once: what
    changes with the set-up is behind the relay.
    """

    def __init__(self) -> None:
        self.targets: tuple[SpanProcessor, ...] = ()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Pass the span on."""
        for target in self.targets:
            target.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass the span on."""
        for target in self.targets:
            target.on_end(span)

    def shutdown(self) -> None:
        """Shut the targets down and let go of them."""
        targets, self.targets = self.targets, ()
        for target in targets:
            try:
                target.shutdown()
            except Exception:
                _tracing.guard("shut down an output")

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush every target; False where one does not get all out within the limit of all."""
        deadline = monotonic() + timeout_millis / 1000
        flushed = [
            target.force_flush(max(round((deadline - monotonic()) * 1000), 0))
            for target in self.targets
        ]
        return all(flushed)


class OwnProvider(TracerProvider):
    """A provider that we install where the application has none.

    It stays the global one after shutdown, because OTel has no way back; a later set-up renews it.
    """

    def __init__(self, identity: Identity) -> None:
        try:
            super().__init__(
                sampler=identity.sampler,
                resource=identity.resource,
                id_generator=identity.id_generator,
            )
        except ValueError as error:  # of SpanLimits
            raise ConfigurationError(
                f"a limit variable cannot be used ({error}): set it to a whole number, or unset it"
            ) from error
        self._made: weakref.WeakSet[trace.Tracer] = weakref.WeakSet()
        self._made_lock = threading.Lock()
        self.relay = Relay()
        self.add_span_processor(self.relay)

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        """Return a tracer, and remember it for ``renew``."""
        tracer = super().get_tracer(*args, **kwargs)
        with self._made_lock:
            self._made.add(tracer)
        return tracer

    def renew(self, identity: Identity) -> None:
        """Change the sampler and the resource, for tracers made before too."""
        self.sampler, self._resource = identity.sampler, identity.resource
        with self._made_lock:
            made = [tracer for tracer in self._made if isinstance(tracer, Tracer)]
        for tracer in made:
            tracer.sampler, tracer.resource = identity.sampler, identity.resource


def global_provider() -> trace.TracerProvider | None:
    """Return the global provider, or None where none was set."""
    found = trace.get_tracer_provider()
    return None if isinstance(found, trace.ProxyTracerProvider) else found


def foreign_processors(provider: object) -> list[str]:
    """Return the class names of the processors on ``provider`` that are not ours."""
    multi = getattr(provider, "_active_span_processor", None)
    processors = getattr(multi, "_span_processors", None)
    if not isinstance(processors, tuple):
        return ["some that cannot be seen"]
    kinds = map(type, processors)
    return [kind.__name__ for kind in kinds if not kind.__module__.startswith("otelbridge.")]


def takes_processors(provider: object) -> bool:
    """Tell whether a span processor can be added to ``provider``, which may not be the SDK's."""
    return callable(getattr(provider, "add_span_processor", None))


def add(provider: object, processor: SpanProcessor) -> None:
    """Add a processor to a provider that takes processors."""
    cast("TracerProvider", provider).add_span_processor(processor)


def remove(provider: object, processor: SpanProcessor) -> None:
    """Take a processor off a provider, where the SDK's parts are as they are known."""
    multi = getattr(provider, "_active_span_processor", None)
    lock = getattr(multi, "_lock", None)
    if multi is None or lock is None or not isinstance(multi._span_processors, tuple):
        return
    with lock:
        multi._span_processors = tuple(p for p in multi._span_processors if p is not processor)
