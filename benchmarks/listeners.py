"""The local handler of every workload: one object that does almost nothing when an event comes."""

from __future__ import annotations

from typing import Any


class Listener:
    """Counts custom events."""

    def __init__(self) -> None:
        self.calls = 0

    def handle_custom_event(self, name: str, data: Any, run_id: Any) -> None:
        """Notice one event."""
        self.calls += 1


class AsyncListener:
    """Counts custom events, as a coroutine."""

    def __init__(self) -> None:
        self.calls = 0

    async def handle_custom_event(self, name: str, data: Any, run_id: Any) -> None:
        """Notice one event."""
        self.calls += 1


class Recorder(Listener):
    """Keeps the events that it is called with, for the comparison of twins."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, Any]] = []

    def handle_custom_event(self, name: str, data: Any, run_id: Any) -> None:
        """Keep one event."""
        self.seen.append((name, data))


class AsyncRecorder(AsyncListener):
    """Keeps the events that it is called with, as a coroutine."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, Any]] = []

    async def handle_custom_event(self, name: str, data: Any, run_id: Any) -> None:
        """Keep one event."""
        self.seen.append((name, data))
