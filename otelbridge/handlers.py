"""Local callback handlers: the hooks, and what may serve as a handler.

A handler is an object with any of the ``on_*`` hooks (langchain-core's form) or any of the
``handle_*`` hooks, a mapping of such names to functions (also in camelCase), or a plain function
for custom events. Inside otelbridge every handler has ``on_*`` hooks; ``as_handler`` sees to it.

Hooks are optional, and one that nobody overrides is never called.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, cast
from uuid import UUID
from weakref import WeakKeyDictionary, finalize

from otelbridge._arguments import Arguments, arguments_of, without_self
from otelbridge.errors import ConfigurationError

T = TypeVar("T")

logger = logging.getLogger("otelbridge")

_START = ("run_id", "parent_run_id", "tags", "metadata", "run_type", "name")
_TOOL = ("run_id", "parent_run_id", "tags", "metadata", "name", "inputs", "tool_call_id")
_AFTER = ("run_id", "parent_run_id", "tags")

# What each hook is given: first the values that are passed by position, then those by keyword.
# A ``handle_*`` function may declare any of them, by these names or by position in this order.
HOOKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "custom_event": (("name", "data"), ("run_id", "tags", "metadata")),
    "chain_start": (("serialized", "inputs"), _START),
    "chain_end": (("outputs",), _AFTER),
    "chain_error": (("error",), _AFTER),
    "tool_start": (("serialized", "input_str"), _TOOL),
    "tool_end": (("output",), _AFTER),
    "tool_error": (("error",), _AFTER),
    "retriever_start": (("serialized", "query"), _START),
    "retriever_end": (("documents",), _AFTER),
    "retriever_error": (("error",), _AFTER),
    "llm_start": (("serialized", "prompts"), _START),
    "chat_model_start": (("serialized", "messages"), _START),
    "llm_new_token": (("token",), _AFTER),
    "llm_end": (("response",), _AFTER),
    "llm_error": (("error",), _AFTER),
    "stream_chunk": (("chunk",), _AFTER),
}

_IGNORE = {
    "custom_event": "ignore_custom_event",
    "chain": "ignore_chain",
    "tool": "ignore_agent",
    "retriever": "ignore_retriever",
    "llm": "ignore_llm",
    "chat_model": "ignore_chat_model",
    "stream_chunk": "ignore_chain",
}


def ignore_flag(hook: str) -> str:
    """Return the name of the ``ignore_*`` flag that switches ``hook`` off."""
    return (
        _IGNORE.get(hook) or _IGNORE[hook.rsplit("_", 1)[0]]
        if hook != "llm_new_token"
        else ("ignore_llm")
    )


class BaseCallbackHandler:
    """A handler in langchain-core's form: override any ``on_*`` hook.

    Attributes:
        raise_error: an exception in a hook is raised in the run, instead of being logged.
        run_inline: kept for compatibility; sync hooks always run inline.
    """

    raise_error: bool = False
    run_inline: bool = False
    ignore_chain: bool = False
    ignore_llm: bool = False
    ignore_retry: bool = False
    ignore_agent: bool = False
    ignore_retriever: bool = False
    ignore_chat_model: bool = False
    ignore_custom_event: bool = False

    def on_custom_event(
        self,
        name: str,
        data: Any,
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """A custom event was dispatched; ``run_id``, ``tags`` and ``metadata`` are its run's."""

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """A run began."""

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """A run ended with ``outputs``."""

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        """A run ended by ``error``."""

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **kwargs: Any) -> Any:
        """A tool began."""

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """A tool ended with ``output``."""

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        """A tool ended by ``error``."""

    def on_retriever_start(
        self, serialized: Any, query: str, *, run_id: UUID, **kwargs: Any
    ) -> Any:
        """A retriever began."""

    def on_retriever_end(self, documents: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """A retriever ended with ``documents``."""

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        """A retriever ended by ``error``."""

    def on_llm_start(
        self, serialized: Any, prompts: list[str], *, run_id: UUID, **kwargs: Any
    ) -> Any:
        """A completion model began."""

    def on_chat_model_start(
        self, serialized: Any, messages: list[list[Any]], *, run_id: UUID, **kwargs: Any
    ) -> Any:
        """A chat model began."""

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """A model gave a token."""

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """A model ended with ``response``."""

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        """A model ended by ``error``."""

    def on_stream_chunk(self, chunk: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """A run that streams gave ``chunk``."""

    # What follows LangChain alone calls.

    def on_stream_event(self, event: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """A chat model of LangChain's gave an event of its stream's version 3."""

    def on_text(self, text: str, *, run_id: UUID, **kwargs: Any) -> Any:
        """A run of LangChain's said something."""

    def on_retry(self, retry_state: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """A model of LangChain's is tried again."""

    def on_agent_action(self, action: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """A classic agent of LangChain's chose a tool."""

    def on_agent_finish(self, finish: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        """A classic agent of LangChain's is done."""


class AsyncCallbackHandler(BaseCallbackHandler):
    """A handler whose hooks are coroutine functions; override any ``on_*`` hook.

    From a sync call inside an async run a hook is scheduled on the run's loop, in order, and
    awaited before the run ends.
    """


class CallbackHandler:
    """A handler in this project's form: define any ``handle_*`` hook, sync or async.

    A hook takes as many of its values as it declares, by these names or by position:

    ===================================  ========================================================
    ``handle_custom_event``              name, data, run_id, tags, metadata
    ``handle_chain_start``               serialized, inputs, run_id, parent_run_id, tags, metadata,
                                         run_type, name
    ``handle_chain_end``                 outputs, run_id, parent_run_id, tags
    ``handle_chain_error``               error, run_id, parent_run_id, tags
    ``handle_tool_start``                serialized, input_str, run_id, parent_run_id, tags,
                                         metadata, name, inputs, tool_call_id
    ``handle_tool_end``, ``_error``      output (error), run_id, parent_run_id, tags
    ``handle_retriever_start``           serialized, query, then as for a chain
    ``handle_retriever_end``, ``_error`` documents (error), run_id, parent_run_id, tags
    ``handle_llm_start``                 serialized, prompts, then as for a chain
    ``handle_chat_model_start``          serialized, messages, then as for a chain
    ``handle_llm_new_token``             token, run_id, parent_run_id, tags
    ``handle_llm_end``, ``_error``       response (error), run_id, parent_run_id, tags
    ``handle_stream_chunk``              chunk, run_id, parent_run_id, tags
    ===================================  ========================================================

    A parameter with a default and a name of its own is left to the user.

    >>> class Progress(CallbackHandler):
    ...     def handle_custom_event(self, name, data):
    ...         print(name, data)

    Attributes:
        raise_error: an exception in a hook is raised in the run, instead of being logged.
    """

    raise_error: bool = False


# A plain tuple, since one is made for every run: a handler, its function for one hook, and the flag
# that may switch it off (None: never).
Hook = tuple[Any, Callable[..., Any], str | None]


def is_same(handler: Any, other: Any) -> bool:
    """Return whether two handlers are one: the same object, or adapters of the same source."""
    return handler is other or (
        isinstance(handler, Adapter) and isinstance(other, Adapter) and handler == other
    )


def is_among(handler: Any, handlers: Sequence[Any]) -> bool:
    """Return whether ``handler`` is one of ``handlers``, without asking the user's ``__eq__``."""
    return any(is_same(handler, other) for other in handlers)


def as_handler(source: object) -> Any:
    """Return ``source`` as an object with ``on_*`` hooks; a handler in that form is itself.

    Raises:
        ConfigurationError: ``source`` can serve as no handler; the message says what can.
    """
    kind = type(source)
    try:
        wrap = _WRAPPERS[kind]
    except KeyError:
        wrap = _keep(_WRAPPERS, kind, _choose_wrapper(kind))
    return source if wrap is None else wrap(source)


def _keep(table: dict[type, T], kind: type, value: T) -> T:
    # Plain dicts are several times faster than weak ones; a program that makes classes without
    # end only makes this forget.
    if len(table) >= _MOST_TYPES:
        table.clear()
    table[kind] = value
    return value


def _choose_wrapper(kind: type) -> Callable[[Any], Any] | None:
    if issubclass(kind, (BaseCallbackHandler, Adapter)):
        return None
    if issubclass(kind, Mapping):
        return MappingAdapter
    if any(callable(getattr(kind, f"on_{hook}", None)) for hook in HOOKS):
        return None
    if any(name in dir(kind) for hook in HOOKS for name in _spellings(hook)):
        return _adapter_of_class(kind) or ObjectAdapter
    return _adapt_instance


_MOST_TYPES = 1_000
_WRAPPERS: dict[type, Callable[[Any], Any] | None] = {}


def _adapt_instance(source: Any) -> Any:
    # Nothing on the class says what this is: hooks may sit on the instance, or it is a function.
    if isinstance(source, type):
        raise ConfigurationError(
            f"The class {source.__name__} was passed as a callback handler. Pass an instance of "
            f"it: {source.__name__}()."
        )
    if any(callable(getattr(source, f"on_{hook}", None)) for hook in HOOKS):
        return source
    if issubclass(type(source), CallbackHandler) or _hooks_on(source):
        return ObjectAdapter(source)
    if callable(source):
        return FunctionAdapter(source)
    raise ConfigurationError(
        f"{source!r} cannot be a callback handler. Pass an object with on_* or handle_* methods, "
        f"a mapping such as {{'handle_custom_event': function}}, or a function for custom events."
    )


def _hooks_on(source: Any) -> dict[str, Callable[..., Any]]:
    found = {}
    for hook in HOOKS:
        for name in _spellings(hook):
            function = getattr(source, name, None)
            if callable(function):
                found[hook] = function
                break
    return found


@cache
def _spellings(hook: str) -> tuple[str, str]:
    camel = "".join(part.capitalize() for part in hook.split("_"))
    return f"handle_{hook}", f"handle{camel.replace('Llm', 'LLM')}"


_FLAGS = tuple(dict.fromkeys(ignore_flag(hook) for hook in HOOKS))


def _no_hook(*args: Any, **kwargs: Any) -> None:
    """Do nothing: what a hook does that is not served."""


class Adapter:
    """Something that is no ``on_*`` handler, in that form.

    Two adapters of the same source are equal, so a handler listed twice is found out.
    """

    __slots__ = ("__weakref__", "source")

    source: Any
    ignore_chain = ignore_llm = ignore_retry = ignore_agent = False
    ignore_retriever = ignore_chat_model = ignore_custom_event = False
    run_inline = False
    raise_error = False

    def __init__(self, source: Any) -> None:
        self.source = source

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Adapter):
            return NotImplemented
        mine, theirs = self.source, other.source
        return mine is theirs or (inspect.ismethod(mine) and bool(mine == theirs))

    def __hash__(self) -> int:
        return hash(self.source) if inspect.ismethod(self.source) else id(self.source)

    def __repr__(self) -> str:
        return f"as_handler({self.source!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_handler, (self.source,)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):  # LangChain calls every hook of a handler, ours only its own
            return _no_hook
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _offer(self, hook: str, function: Callable[..., Any]) -> None:
        setattr(self, f"on_{hook}", _fit(hook, function))


class ObjectAdapter(Adapter):
    """An object with ``handle_*`` methods."""

    def __init__(self, source: Any) -> None:
        super().__init__(source)
        for flag in ("raise_error", *_FLAGS):
            if getattr(source, flag, False):
                setattr(self, flag, True)
        for hook, function in _hooks_on(source).items():
            self._offer(hook, function)


class ClassAdapter(Adapter):
    """An object whose class has plain ``handle_*`` methods: one adapter class for each class.

    An object is adapted for every run, so what its class says is read once.
    """

    __slots__ = ()

    @property
    def raise_error(self) -> bool:  # type: ignore[override]
        """Whether the object wants its exceptions raised, now."""
        return bool(getattr(self.source, "raise_error", False))


def _adapter_of_class(kind: type) -> Callable[[Any], Any] | None:
    """Return what adapts instances of ``kind``; None where each must be asked itself."""
    if hasattr(kind, "__getattr__") or any(getattr(kind, flag, False) for flag in _FLAGS):
        return None
    methods: dict[str, Callable[..., Any]] = {}
    for hook in HOOKS:
        for name in _spellings(hook):
            function = inspect.getattr_static(kind, name, None)
            if function is None:
                continue
            if not inspect.isfunction(function):
                return None
            methods.setdefault(f"on_{hook}", _forwarder(hook, name, function))
    adapter = type(ClassAdapter.__name__, (ClassAdapter,), {"__slots__": (), **methods})
    new = object.__new__

    def adapt(source: Any) -> Any:
        own = getattr(source, "__dict__", None)
        if own and not _ASKED.isdisjoint(own):
            return ObjectAdapter(source)
        made: Adapter = new(adapter)
        made.source = source
        return made

    return adapt


_ASKED = frozenset((*_FLAGS, *(name for hook in HOOKS for name in _spellings(hook))))


def _forwarder(hook: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``on_<hook>`` of an adapter whose source's class has ``function`` as ``name``."""
    positional, keywords = HOOKS[hook]
    known = positional + keywords
    declared = without_self(arguments_of(function))
    count = len(declared.positional)
    plain = Arguments(known[:count], required=declared.required)
    if hook == "custom_event" and declared == plain:
        return _event_forwarder(name, count)
    pick = _picker(positional, keywords, declared)

    def on_hook(self: Adapter, *args: Any, **kwargs: Any) -> Any:
        chosen, named = pick(args, kwargs) if pick is not None else (args, kwargs)
        return getattr(self.source, name)(*chosen, **named)

    return on_hook


def _event_forwarder(name: str, count: int) -> Callable[..., Any]:
    """Return ``on_custom_event`` for a method that takes the first ``count`` values."""
    method = attrgetter(name)

    def first_two(
        self: Adapter, name_: str, data: Any, run_id: Any, tags: Any, metadata: Any
    ) -> Any:
        return method(self.source)(name_, data)

    def first_three(
        self: Adapter, name_: str, data: Any, run_id: Any, tags: Any, metadata: Any
    ) -> Any:
        return method(self.source)(name_, data, run_id)

    def any_number(
        self: Adapter, name_: str, data: Any, run_id: Any, tags: Any, metadata: Any
    ) -> Any:
        return method(self.source)(*(name_, data, run_id, tags, metadata)[:count])

    return {2: first_two, 3: first_three}.get(count, any_number)


class MappingAdapter(Adapter):
    """A mapping of hook names to functions; ``raise_error`` and ``ignore_*`` may be keys too."""

    def __init__(self, source: Mapping[str, Any]) -> None:
        super().__init__(source)
        for name, function in source.items():
            hook = _MAPPING_KEYS.get(name)
            if name == "raise_error" or name in _FLAGS:
                setattr(self, name, bool(function))
            elif hook is None:
                raise ConfigurationError(
                    f"A handler mapping has the key {name!r}, which names no hook. "
                    f"Its keys may be: {', '.join(f'handle_{hook}' for hook in HOOKS)}."
                )
            elif not callable(function):
                raise ConfigurationError(
                    f"A handler mapping has {function!r} under {name!r}; it must be a function."
                )
            else:
                self._offer(hook, function)


class FunctionAdapter(Adapter):
    """A plain function, for custom events."""

    def __init__(self, source: Callable[..., Any]) -> None:
        super().__init__(source)
        self._offer("custom_event", source)


_MAPPING_KEYS = {name: hook for hook in HOOKS for name in (*_spellings(hook), f"on_{hook}")} | {
    "handleLlmStart": "llm_start",
    "handleLlmEnd": "llm_end",
    "handleLlmError": "llm_error",
}


def _fit(hook: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` as one that takes what ``on_<hook>`` is given."""
    positional, keywords = HOOKS[hook]
    arguments = arguments_of(function)
    pick = _picker(positional, keywords, arguments)
    if pick is None:
        return function
    if inspect.iscoroutinefunction(function):

        async def acall(*args: Any, **kwargs: Any) -> Any:
            chosen, named = pick(args, kwargs)
            return await function(*chosen, **named)

        return acall

    def call(*args: Any, **kwargs: Any) -> Any:
        chosen, named = pick(args, kwargs)
        return function(*chosen, **named)

    return call


Picked = tuple[Sequence[Any], Mapping[str, Any]]


def _picker(
    positional: tuple[str, ...], keywords: tuple[str, ...], declared: Arguments
) -> Callable[[tuple[Any, ...], dict[str, Any]], Picked] | None:
    known = positional + keywords
    names = declared.positional
    if set(names) <= set(known):
        order = tuple(known.index(name) for name in names)
    else:
        # By position: names of the user's own. One with a default is bound by the user.
        order = tuple(range(min(declared.required, len(known))))
    if declared.var_positional:
        order = tuple(range(len(known)))
    wanted = tuple(name for name in declared.keyword_only if name in known)
    count = len(positional)

    def pick(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Picked:
        values = [*args[:count], *(kwargs.get(key) for key in keywords)]
        named: dict[str, Any] = {key: values[known.index(key)] for key in wanted}
        if declared.var_keyword:
            taken = {known[index] for index in order}
            rest = {key: value for key, value in zip(known, values) if key not in taken}
            named = {**rest, **named}
        return [values[index] for index in order], named

    return pick


def hooks_of(handlers: Sequence[Any], hook: str) -> tuple[Hook, ...]:
    """Return the functions that serve ``hook``, in the handlers' order."""
    found: tuple[Hook, ...] = ()
    name, flag = _ATTRIBUTES[hook]
    for handler in handlers:
        names = _SAID_BY_CLASS.get(type(handler))
        own: Any = ()
        if names is None:
            names, own = _names_of(handler), getattr(handler, "__dict__", ())
        if name in names:
            function = getattr(handler, name, None)
            if function is not None:
                fixed = flag in names and flag not in own
                found = (*found, (handler, function, None if fixed else flag))
    return found


def hook_names(handlers: Sequence[Any]) -> frozenset[str]:
    """Return the names (``on_chain_start`` and so on) of the hooks that anybody serves."""
    if len(handlers) == 1:
        (handler,) = handlers
        return _SAID_BY_CLASS.get(type(handler)) or _names_of(handler)
    return frozenset().union(*map(_names_of, handlers))


def _names_of(handler: Any) -> frozenset[str]:
    kind = type(handler)
    names = _OVERRIDDEN.get(kind)
    if names is None:
        names = _keep(_OVERRIDDEN, kind, _overridden(kind))
        if not hasattr(handler, "__dict__"):
            return _keep(_SAID_BY_CLASS, kind, names)
    own = getattr(handler, "__dict__", None)
    if own and not _HOOK_NAMES.isdisjoint(own):
        return names | _HOOK_NAMES.intersection(own)
    return names


_ATTRIBUTES = {hook: (f"on_{hook}", ignore_flag(hook)) for hook in HOOKS}
_HOOK_NAMES = frozenset(name for name, _ in _ATTRIBUTES.values())
# Of each type of handler, the hooks that it overrides and the ignore flags that are plainly False.
_OVERRIDDEN: dict[type, frozenset[str]] = {}
# Of these, the ones whose instances have no dict, where a hook or a flag could be besides.
_SAID_BY_CLASS: dict[type, frozenset[str]] = {}


def _overridden(kind: type) -> frozenset[str]:
    if hasattr(kind, "serves_otelbridge"):  # it makes spans of LangChain's runs; ours have theirs
        return frozenset()
    names = {name for name, _ in _ATTRIBUTES.values() if _is_overridden(kind, name)}
    flags = {flag for _, flag in _ATTRIBUTES.values() if getattr(kind, flag, None) is False}
    return frozenset(names | flags)


def _is_overridden(kind: type, name: str) -> bool:
    function = getattr(kind, name, None)
    if issubclass(kind, Adapter):
        return function is not None
    if function is None:
        # A class with __getattr__ (a mock, a proxy) may have any hook.
        return hasattr(kind, "__getattr__")
    # langchain-core's base classes define every hook as a no-op, which need not be called.
    module = getattr(function, "__module__", None)
    return module not in (__name__, "langchain_core.callbacks.base")


_reported: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
_reported_ids: dict[int, set[str]] = {}


def report_failure(handler: Any, hook: str) -> None:
    """Log the exception being handled, once for each handler and hook."""
    source = _culprit(handler, hook)
    try:
        seen = _reported.setdefault(source, set())
    except TypeError:  # no hash, or no weak references
        seen = _reported_by_id(source)
    if hook in seen:
        return
    seen.add(hook)
    name = getattr(source, "__qualname__", None) or type(source).__name__
    goes_on = "it is raised in the run" if raises(handler) else "the run goes on"
    logger.warning(
        "Handler %s failed in on_%s; %s, and later failures of this hook are not logged",
        name,
        hook,
        goes_on,
        exc_info=True,
    )


def _culprit(handler: Any, hook: str) -> Any:
    """Return what failures of ``hook`` are remembered by; of a mapping that is the function."""
    source = handler.source if isinstance(handler, Adapter) else handler
    if isinstance(handler, MappingAdapter):
        found = (call for name, call in source.items() if _MAPPING_KEYS.get(name) == hook)
        return next(found, source)
    return source


def _reported_by_id(source: Any) -> set[str]:
    seen = _reported_ids.get(id(source))
    if seen is None:
        if len(_reported_ids) >= _MOST_TYPES:
            _reported_ids.clear()
        seen = _reported_ids[id(source)] = set()
        with suppress(TypeError):  # the next object at this place is another handler
            finalize(source, _reported_ids.pop, id(source), None).atexit = False
    return seen


def unique(handlers: Sequence[Any]) -> list[Any]:
    """Return ``handlers`` as handlers, in order, each once."""
    if len(handlers) == 1:
        return [as_handler(handlers[0])]
    found = [as_handler(source) for source in handlers]
    once: list[Any] = []
    for handler in found:
        if not is_among(handler, once):
            once.append(handler)
    return once


def raises(handler: Any) -> bool:
    """Return whether the handler wants its exceptions raised in the run."""
    return cast("bool", getattr(handler, "raise_error", False))
