"""Where a pipeline takes spans, and what keeps those that it cannot take there."""

from __future__ import annotations

from dataclasses import dataclass

from otelbridge.encoding.units import Item
from otelbridge.export.channel import Channel
from otelbridge.export.dead_letters import DeadLetters
from otelbridge.export.reserve import OpenSpool


@dataclass(frozen=True)
class Route:
    """The way of spans to one receiver.

    Attributes:
        channel: the connection to the receiver.
        open_spool: opens the spool; None: there is none.
        dead_letters: takes what the receiver refuses for good; None: it is counted only.
        durable: whether a span is on disk before its end returns.
        exporter: what metrics call the exporter.
    """

    channel: Channel
    open_spool: OpenSpool | None = None
    dead_letters: DeadLetters | None = None
    durable: bool = False
    exporter: str = "otlp_http_span_exporter"

    @property
    def where(self) -> str:
        """The receiver, in words."""
        return self.channel.where

    def set_aside(self, item: Item, reason: str) -> str:
        """Keep a span that was refused for good, and say where."""
        if self.dead_letters is None:
            return ""
        path = self.dead_letters.path
        self.dead_letters.write(item, reason, self.where)
        return f", set aside in {path}"
