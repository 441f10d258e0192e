"""What otelbridge raises.

::

    OtelbridgeError
    ├── NoActiveRunError      (also a RuntimeError)
    ├── ConfigurationError    (also a ValueError)
    └── StoreError

Mistakes raise at set-up or at the call that holds them. While a program runs, telemetry itself
raises nothing: see ``otelbridge._tracing.guard``.
"""

from __future__ import annotations


class OtelbridgeError(Exception):
    """The base of every error that otelbridge raises."""


class NoActiveRunError(OtelbridgeError, RuntimeError):
    """A custom event was dispatched where no run is active."""


class ConfigurationError(OtelbridgeError, ValueError):
    """A setting, an argument or a variable, cannot be used; the message says the cure."""


class StoreError(OtelbridgeError):
    """The store of traces cannot be opened, read or written, or has not what was asked for."""
