"""Where contextvars do not reach, the config is handed over: raw threads, foreign executors.

This is the guide's "web" entry point: dispatch takes the config as an argument, and a runnable
that is invoked with it becomes a child of the run that the config came from.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from otelbridge import NoActiveRunError, RunnableConfig, RunnableLambda, dispatch_custom_event
from otelbridge.testing import capture_runs


def shout(word: str) -> str:
    dispatch_custom_event("shouted", word)
    return word.upper()


def in_thread(config: RunnableConfig) -> None:
    try:
        dispatch_custom_event("from_thread", {"config": "none"})
    except NoActiveRunError as error:
        print(f"without a config: {type(error).__name__}")
    dispatch_custom_event("from_thread", {"config": "by hand"}, config=config)


def work(words: list[str], config: RunnableConfig) -> list[str]:
    thread = threading.Thread(target=in_thread, args=(config,))
    thread.start()
    thread.join()
    with ThreadPoolExecutor(max_workers=1) as pool:
        return list(pool.map(lambda word: RunnableLambda(shout).invoke(word, config), words))


if __name__ == "__main__":
    with capture_runs() as runs:
        print(RunnableLambda(work).invoke(["hello", "world"]))
    print(runs.tree())
