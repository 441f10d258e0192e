"""The run config, at langchain-core's import path."""

from __future__ import annotations

from otelbridge.config import (
    CONFIG_KEYS,
    COPIABLE_KEYS,
    DEFAULT_RECURSION_LIMIT,
    ContextThreadPoolExecutor,
    RunnableConfig,
    acall_func_with_variable_args,
    call_func_with_variable_args,
    ensure_config,
    get_async_callback_manager_for_config,
    get_callback_manager_for_config,
    get_config_list,
    get_executor_for_config,
    merge_configs,
    patch_config,
    run_in_executor,
)

__all__ = [
    "CONFIG_KEYS",
    "COPIABLE_KEYS",
    "DEFAULT_RECURSION_LIMIT",
    "ContextThreadPoolExecutor",
    "RunnableConfig",
    "acall_func_with_variable_args",
    "call_func_with_variable_args",
    "ensure_config",
    "get_async_callback_manager_for_config",
    "get_callback_manager_for_config",
    "get_config_list",
    "get_executor_for_config",
    "merge_configs",
    "patch_config",
    "run_in_executor",
]
