"""Which of the seams are in place, and since when: the state of the process."""

from __future__ import annotations

import logging
import sys
import threading
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any

from otelbridge import _run_ids
from otelbridge._tracing import guard
from otelbridge.errors import ConfigurationError
from otelbridge.langchain import _borders, _seams
from otelbridge.langchain._patch import Patches
from otelbridge.langchain._runs import LangChainRun
from otelbridge.langchain._settings import Settings

if TYPE_CHECKING:
    from otelbridge.langchain._presence import OtelCallbackHandler

logger = logging.getLogger("otelbridge")

_HOOKS = "langchain_core.tracers.context"


class _Installation:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.patches: Patches | None = None
        self.settings: Settings | None = None  # of instrument(), while it is in force
        self.hook: OtelCallbackHandler | None = None
        self.entry: Any = None  # ours in upstream's list of hooks
        self.watched: set[str] = set()


_state = _Installation()


def install() -> None:
    """Put the seams in place: now where LangChain is imported, and when it will be."""
    with _state.lock:
        if _state.patches is not None:
            return
        _state.patches = Patches()
        for name in (*_seams.SEAMS, _HOOKS):
            _watch(name)


def is_in_place() -> bool:
    """Return whether LangChain is entered, by ``instrument()`` or for a handler."""
    return _state.patches is not None


def instrument(settings: Settings) -> None:
    """Trace every run of the process."""
    with _state.lock:
        if _state.settings is not None:
            if _state.settings != settings:
                logger.warning(
                    "otelbridge traces LangChain already, with other settings, which stay; call "
                    "uninstrument() first to change them"
                )
            return
        _state.settings = settings
        if settings.others is not None and not settings.others.look():
            settings.others = None
        install()
        if (hooks := _imported(_HOOKS)) is not None:
            _hook(hooks)


def uninstrument() -> None:
    """Put everything back as it was; runs that are still open end now."""
    with _state.lock:
        patches, _state.patches, _state.settings = _state.patches, None, None
        if patches is None:
            return
        patches.undo()
        _borders.close()
        if _state.entry is not None and (hooks := _imported(_HOOKS)) is not None:
            entries = hooks._configure_hooks
            entries[:] = [entry for entry in entries if entry is not _state.entry]
        _state.entry = _state.hook = None
        for run in list(_run_ids.live.values()):
            if isinstance(run, LangChainRun):
                run.finish(GeneratorExit())


def is_instrumented() -> bool:
    """Return whether every run of the process is traced."""
    return _state.settings is not None


def settings() -> Settings | None:
    """Return the settings of ``instrument()``, while it is in force."""
    return _state.settings


def hook() -> OtelCallbackHandler | None:
    """Return the handler that ``instrument()`` gives to every call."""
    return _state.hook


def _imported(name: str) -> ModuleType | None:
    return sys.modules.get(name)


def _watch(name: str) -> None:
    """Enter a module: now, if it is imported, and whenever it will be."""
    try:
        from wrapt import register_post_import_hook
    except ImportError:
        raise ConfigurationError(
            "otelbridge.langchain needs the package wrapt: pip install 'otelbridge[langchain]'"
        ) from None
    if name in _state.watched:  # wrapt has no way to forget a hook
        if (module := _imported(name)) is not None:
            _entered(module)
        return
    _state.watched.add(name)
    register_post_import_hook(_entered, name)


def _entered(module: ModuleType) -> None:
    with _state.lock:
        if _state.patches is None:
            return
        if module.__name__ == _HOOKS:
            if _state.settings is not None:
                _hook(module)
        else:
            _seams.enter(module, _state.patches)


def _hook(hooks: ModuleType) -> None:
    """Put our handler into upstream's list of hooks."""
    if _state.entry is not None or _state.settings is None:
        return
    try:
        from otelbridge.langchain._presence import Hook

        _state.hook = Hook(_state.settings)
        variable: ContextVar[Any] = ContextVar("otelbridge_langchain", default=_state.hook)
        hooks.register_configure_hook(variable, inheritable=True)
        _state.entry = hooks._configure_hooks[-1]
    except Exception:
        guard("hook into LangChain's callbacks")
