"""The web viewer: a page of what the store holds, live, and receivers of OTLP into it."""

from otelbridge.view.ports import BusyPortError
from otelbridge.view.server import Served, Server, serve, start

__all__ = ["BusyPortError", "Served", "Server", "serve", "start"]
