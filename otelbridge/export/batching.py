"""How spans are gathered: the standard OTEL_BSP_* variables, read strictly."""

from __future__ import annotations

from dataclasses import dataclass

from otelbridge.errors import ConfigurationError
from otelbridge.export import environment
from otelbridge.export.environment import Environ

_LONGEST_S = 86_400.0  # clocks of threads have limits
REQUEST_BYTES = 3 << 20  # Jaeger and the Collector refuse more than 4 MiB


@dataclass(frozen=True)
class Batching:
    """When ended spans are sent, and how many at once.

    Attributes:
        delay_s: an ended span waits for others for at most so long (OTEL_BSP_SCHEDULE_DELAY).
        queue: ended spans that wait to be encoded; at more, the threads that end spans encode
            (OTEL_BSP_MAX_QUEUE_SIZE).
        batch: spans of one request, at most (OTEL_BSP_MAX_EXPORT_BATCH_SIZE).
        timeout_s: for one request (OTEL_BSP_EXPORT_TIMEOUT); None leaves it to the exporter's own.
        memory: bytes of encoded spans that are kept in memory.
    """

    delay_s: float = 5.0
    queue: int = 2048
    batch: int = 512
    timeout_s: float | None = None
    memory: int = 32 << 20

    @classmethod
    def of(cls, environ: Environ) -> Batching:
        """Read the variables.

        Raises:
            ConfigurationError: one of them cannot be used.
        """
        delay = environment.number(environ, "OTEL_BSP_SCHEDULE_DELAY", whole=True) or 5_000
        timeout = environment.number(environ, "OTEL_BSP_EXPORT_TIMEOUT", whole=True)
        queue = environment.number(environ, "OTEL_BSP_MAX_QUEUE_SIZE", whole=True) or 2_048
        batch = environment.number(environ, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", whole=True) or 512
        if batch > queue:
            raise ConfigurationError(
                f"OTEL_BSP_MAX_EXPORT_BATCH_SIZE ({batch:g}) is above OTEL_BSP_MAX_QUEUE_SIZE "
                f"({queue:g}): a batch must fit into the queue"
            )
        return cls(
            delay_s=min(delay / 1000, _LONGEST_S),
            queue=int(queue),
            batch=int(batch),
            timeout_s=None if timeout is None else timeout / 1000,
        )
