"""The end of a child that a library has forked: no exit handler is run in it.

Relied on, each where it is imported:

- multiprocessing.util, and its twin billiard.util of Celery: ``Finalize``, called at the end of a
  child, and ``register_after_fork``, called when a child has forgotten its parent's finalisers;
- celery.signals: ``worker_process_shutdown``, sent at the end of a process of Celery's pool, which
  calls no finaliser.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

from otelbridge._process import renew_in_child

_calls: list[Callable[[], object]] = []
_finalized: list[ModuleType] = []


def call_at_end(call: Callable[[], object]) -> None:
    """Call this at the end of this process, should a library have forked it, and of its children.

    It may be called twice.
    """
    if call not in _calls:
        _calls.append(call)
    for library in _forking():
        _finalize(library)
    _connect()


def _call(*_: object, **__: object) -> None:
    for call in _calls:
        call()


def _forking() -> list[ModuleType]:
    found = (sys.modules.get(name) for name in ("multiprocessing.util", "billiard.util"))
    return [library for library in found if library is not None]


def _finalize(library: ModuleType) -> None:
    if not _finalized:
        _finalized.append(library)
        library.Finalize(None, _call, exitpriority=-100)


def _connect() -> None:
    ended = getattr(sys.modules.get("celery.signals"), "worker_process_shutdown", None)
    if ended is not None:
        ended.connect(_call, weak=False)


def _in_child() -> None:
    """In a child that is being forked. Its library forgets all finalisers, then calls ours."""
    _finalized.clear()
    if not _calls:
        return
    for library in _forking():
        library.register_after_fork(library, _finalize)
    _connect()  # Celery may have been imported after the set-up


renew_in_child(_in_child)
