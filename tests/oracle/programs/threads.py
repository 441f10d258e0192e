"""The web entry point: work in threads of the application, with the config passed by hand."""

from concurrent.futures import ThreadPoolExecutor

from langchain_core.callbacks import BaseCallbackHandler, dispatch_custom_event
from langchain_core.runnables import RunnableConfig, RunnableLambda


class Collect(BaseCallbackHandler):
    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def on_custom_event(self, name, data, **kwargs) -> None:
        self.events.append((name, data))


def work(value: int) -> int:
    dispatch_custom_event("working", value)
    return value * 2


def body(values: list[int], config: RunnableConfig) -> list[int]:
    inner = RunnableLambda(work)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda value: inner.invoke(value, config), values))
        pool.submit(dispatch_custom_event, "done", len(results), config=config).result()
    return results


collect = Collect()
print(RunnableLambda(body).invoke([1, 2, 3], {"callbacks": [collect]}))
print(sorted(collect.events))
