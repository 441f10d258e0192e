"""Set-up and output: where finished spans go. The only part that touches the OpenTelemetry SDK."""

from __future__ import annotations

from otelbridge.export.account import Stats
from otelbridge.export.configure import configure
from otelbridge.export.console import ConsoleTree, render
from otelbridge.export.handle import Handle

__all__ = ["ConsoleTree", "Handle", "Stats", "configure", "render"]
