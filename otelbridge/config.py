"""The run config: what a caller says about one invocation and everything below it."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from opentelemetry.context import Context

from otelbridge._arguments import arguments_of
from otelbridge._config_type import RunnableConfig
from otelbridge._executors import gather_with_concurrency, run_in_executor
from otelbridge.context import current_run
from otelbridge.errors import ConfigurationError
from otelbridge.manager import (
    AsyncCallbackManager,
    CallbackManager,
    ManagerLike,
    is_manager,
)

if TYPE_CHECKING:
    from otelbridge._thread_pool import ContextThreadPoolExecutor

__all__ = [
    "CONFIG_KEYS",
    "COPIABLE_KEYS",
    "DEFAULT_RECURSION_LIMIT",
    "ContextThreadPoolExecutor",
    "RunnableConfig",
    "acall_func_with_variable_args",
    "accepts_config",
    "accepts_run_manager",
    "call_func_with_variable_args",
    "ensure_config",
    "gather_with_concurrency",
    "get_async_callback_manager_for_config",
    "get_callback_manager_for_config",
    "get_config",
    "get_config_list",
    "get_executor_for_config",
    "merge_configs",
    "patch_config",
    "run_in_executor",
]

T = TypeVar("T")


CONFIG_KEYS = [
    "tags",
    "metadata",
    "callbacks",
    "run_name",
    "max_concurrency",
    "recursion_limit",
    "configurable",
    "run_id",
]
COPIABLE_KEYS = ["tags", "metadata", "callbacks", "configurable"]
DEFAULT_RECURSION_LIMIT = 25

_KNOWN = frozenset(CONFIG_KEYS)
_COPIED = frozenset(COPIABLE_KEYS)
# langchain-core shows these two in the metadata, because people filter runs by them.
SHOWN_CONFIGURABLE = frozenset({"model", "checkpoint_ns"})


def ensure_config(config: RunnableConfig | None = None) -> RunnableConfig:
    """Return a whole config: the defaults, then the current run's, then ``config``.

    Lists and dicts are copied. A key that no config has is moved into ``configurable``.
    """
    run = current_run()
    return fill_config(config, None if run is None else run.shared_config())


def fill_config(
    config: Mapping[str, Any] | None, inherited: RunnableConfig | None
) -> RunnableConfig:
    """Return the defaults, updated by ``inherited``, updated by ``config``."""
    full: dict[str, Any] = {
        "tags": [],
        "metadata": {},
        "callbacks": None,
        "recursion_limit": DEFAULT_RECURSION_LIMIT,
        "configurable": {},
    }
    if config is not None and not isinstance(config, Mapping):
        raise ConfigurationError(
            f"The config is {config!r}; it must be a dict, such as {{'tags': ['a']}}."
        )
    if config:
        check_callbacks(config.get("callbacks"))
        check_labels(config.get("tags"), config.get("metadata"))
    for source in (inherited, config):
        if not source:
            continue
        for key, value in source.items():
            if value is None:
                continue
            if key in _KNOWN:
                full[key] = _copied(value) if key in _COPIED else value
            else:
                full["configurable"] = {**full["configurable"], key: value}
    if config:
        # An unknown key of the config wins over its own configurable, wherever it stood.
        strays = {k: v for k, v in config.items() if k not in _KNOWN and v is not None}
        full["configurable"].update(strays)
    for key in sorted(SHOWN_CONFIGURABLE.intersection(full["configurable"])):
        value = full["configurable"].get(key)
        if isinstance(value, str) and key not in full["metadata"]:
            full["metadata"][key] = value
    return cast("RunnableConfig", full)


def check_callbacks(callbacks: Any) -> None:
    """Refuse callbacks that are neither a list nor a manager.

    Raises:
        ConfigurationError: they are something else.
    """
    if callbacks is None or is_manager(callbacks):
        return
    if isinstance(callbacks, Sequence) and not isinstance(callbacks, (str, bytes)):
        return
    raise ConfigurationError(
        f"callbacks is {callbacks!r}; it must be a list of handlers, as in "
        f"{{'callbacks': [handler]}}, or a callback manager."
    )


def check_labels(tags: Any, metadata: Any) -> None:
    """Refuse tags and metadata of the wrong kind.

    Raises:
        ConfigurationError: they are no list of strings and no dict.
    """
    if isinstance(tags, str) or not isinstance(tags or (), Iterable):
        raise ConfigurationError(f"tags is {tags!r}; it must be a list of strings.")
    if not isinstance(metadata or {}, Mapping):
        raise ConfigurationError(f"metadata is {metadata!r}; it must be a dict.")


def _copied(value: Any) -> Any:
    if hasattr(value, "copy"):
        return value.copy()
    return CallbackManager.of(value) if is_manager(value) else list(value)


def get_config(context: Context | None = None) -> RunnableConfig:
    """Return the config of the run that an OTel ``context`` carries.

    Args:
        context: any OTel Context; the current one when left out.

    Returns:
        A whole config; the defaults outside of any run.
    """
    run = current_run(context)
    return fill_config(None, None if run is None else run.shared_config())


def patch_config(
    config: RunnableConfig | None,
    *,
    callbacks: ManagerLike | None = None,
    recursion_limit: int | None = None,
    max_concurrency: int | None = None,
    run_name: str | None = None,
    configurable: dict[str, Any] | None = None,
) -> RunnableConfig:
    """Return a whole copy of ``config`` with the given values.

    New ``callbacks`` mean a new run: ``run_name`` and ``run_id`` are left out then.
    """
    patched = ensure_config(config)
    if callbacks is not None:
        patched["callbacks"] = callbacks
        patched.pop("run_name", None)
        patched.pop("run_id", None)
    if recursion_limit is not None:
        patched["recursion_limit"] = recursion_limit
    if max_concurrency is not None:
        patched["max_concurrency"] = max_concurrency
    if run_name is not None:
        patched["run_name"] = run_name
    if configurable is not None:
        patched["configurable"] = {**patched.get("configurable", {}), **configurable}
    return patched


def merge_configs(*configs: RunnableConfig | None) -> RunnableConfig:
    """Return one config: tags united and sorted, metadata and configurable merged, handlers added.

    Of the other keys the last that is set wins.
    """
    merged: dict[str, Any] = {}
    for config in configs:
        if config is not None:
            is_said = config.get("callbacks") is not None
            for key, value in ensure_config(config).items():
                _merge_key(merged, key, value, is_said)
    return cast("RunnableConfig", merged)


def _merge_key(merged: dict[str, Any], key: str, value: Any, is_said: bool) -> None:
    if key in ("metadata", "configurable"):
        merged[key] = {**merged.get(key, {}), **(value or {})}
    elif key == "tags":
        merged[key] = sorted({*merged.get(key, ()), *(value or ())})
    elif key == "callbacks":
        if value is not None:
            held = merged.get(key)
            merged[key] = _copied(value) if held is None else _merge_callbacks(held, value, is_said)
    elif key == "recursion_limit":
        if value != DEFAULT_RECURSION_LIMIT:
            merged[key] = value
    else:
        merged[key] = value or merged.get(key)


def _merge_callbacks(first: Any, second: Any, is_said: bool) -> Any:
    if is_manager(first):
        manager = first.copy()
        if is_manager(second):
            merged = manager.merge(second)
            # A run that a config names is nearer than the current one, and the later is the nearer.
            if is_said and second.parent_run_id is not None:
                merged.parent_run_id = second.parent_run_id
            return merged
        added = second
    elif is_manager(second):
        manager, added = second.copy(), first
    else:
        return [*first, *second]
    for handler in added:
        manager.add_handler(handler, inherit=True)
    return manager


def get_config_list(
    config: RunnableConfig | Sequence[RunnableConfig] | None, length: int
) -> list[RunnableConfig]:
    """Return ``length`` whole configs from one for all, or one for each.

    Raises:
        ValueError: ``length`` is negative, or the list has another length.
    """
    if length < 0:
        raise ValueError(f"length must be >= 0, but got {length}")
    if isinstance(config, Sequence):
        if len(config) != length:
            raise ValueError(
                f"config must be a list of the same length as inputs, but got {len(config)} "
                f"configs for {length} inputs"
            )
        return [ensure_config(each) for each in config]
    if length > 1 and isinstance(config, dict) and config.get("run_id") is not None:
        warnings.warn(
            "A run_id names one run: it is used for the first input of the batch only.",
            category=RuntimeWarning,
            stacklevel=3,
        )
        later = cast("RunnableConfig", {k: v for k, v in config.items() if k != "run_id"})
        return [ensure_config(later if index else config) for index in range(length)]
    first = ensure_config(config)
    return [first, *(_twin_of(first) for _ in range(length - 1))] if length else []


def _twin_of(whole: RunnableConfig) -> RunnableConfig:
    """Return a whole config of the same content, of which nothing is shared that is changed."""
    twin = cast("dict[str, Any]", whole).copy()
    for key in _COPIED.intersection(twin):
        if twin[key] is not None:
            twin[key] = _copied(twin[key])
    return cast("RunnableConfig", twin)


def get_callback_manager_for_config(config: RunnableConfig) -> CallbackManager:
    """Return the manager that a run with ``config`` begins with."""
    return CallbackManager.configure(
        config.get("callbacks"),
        inheritable_tags=config.get("tags"),
        inheritable_metadata=config.get("metadata"),
    )


def get_async_callback_manager_for_config(config: RunnableConfig) -> AsyncCallbackManager:
    """Return the manager that a run with ``config`` begins with, in its async form."""
    return AsyncCallbackManager.of(get_callback_manager_for_config(config))


@contextmanager
def get_executor_for_config(config: RunnableConfig | None) -> Iterator[ContextThreadPoolExecutor]:
    """Open a thread pool of ``max_concurrency`` threads that carries the context."""
    from otelbridge._thread_pool import ContextThreadPoolExecutor  # when it is needed, not before

    workers = (config or {}).get("max_concurrency")
    with ContextThreadPoolExecutor(max_workers=workers) as executor:
        yield executor


def accepts_config(func: Callable[..., Any]) -> bool:
    """Return whether ``func`` takes the run config: named ``config`` or annotated with its type."""
    return arguments_of(func).config_name is not None


def accepts_run_manager(func: Callable[..., Any]) -> bool:
    """Return whether ``func`` has a parameter named ``run_manager``."""
    return "run_manager" in arguments_of(func)


def call_func_with_variable_args(
    func: Callable[..., T],
    input: Any,
    config: RunnableConfig,
    run_manager: Any = None,
    **kwargs: Any,
) -> T:
    """Call ``func(input)``, with the config and the run where it takes them.

    With a ``run_manager`` (a ``Run``) the config given is that of what runs below it.
    """
    arguments = arguments_of(func)
    if arguments.config_name is not None:
        if run_manager is not None:
            config = patch_config(config, callbacks=run_manager.get_child())
        kwargs[arguments.config_name] = config
    if run_manager is not None and "run_manager" in arguments:
        kwargs["run_manager"] = run_manager
    return func(input, **kwargs)


def acall_func_with_variable_args(
    func: Callable[..., Awaitable[T]],
    input: Any,
    config: RunnableConfig,
    run_manager: Any = None,
    **kwargs: Any,
) -> Awaitable[T]:
    """As ``call_func_with_variable_args``, for a function whose result is awaited."""
    return call_func_with_variable_args(func, input, config, run_manager, **kwargs)


def __getattr__(name: str) -> Any:
    if name != "ContextThreadPoolExecutor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from otelbridge import _thread_pool  # when it is needed, not before

    return _thread_pool.ContextThreadPoolExecutor
