"""Tags, metadata, names and configurable values, and the functions that handle them."""

from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.runnables.base import RunnableBinding
from langchain_core.runnables.config import (
    ensure_config,
    get_config_list,
    merge_configs,
    patch_config,
)


def show(value: int, config: RunnableConfig) -> str:
    return f"{value} {config['tags']} {config['metadata']} {config['configurable']}"


runnable = RunnableLambda(show).with_config(tags=["bound"], metadata={"by": "binding"})
print(isinstance(runnable, RunnableBinding))
print(runnable.invoke(1))
print(runnable.invoke(2, {"tags": ["called"], "configurable": {"user": "ada"}}))
print(ensure_config({"run_name": "name"}))
print(merge_configs({"tags": ["a"]}, {"tags": ["b"], "metadata": {"k": 1}}))
print(patch_config({"tags": ["a"]}, run_name="patched", recursion_limit=3))
print(len(get_config_list({"tags": ["a"]}, 3)))
