"""What an exception, a retry, a fallback, a cancelled task and a deadline leave in the trace."""

from __future__ import annotations

import asyncio

from otelbridge import RunnableLambda, adispatch_custom_event
from otelbridge.testing import capture_runs

attempts: list[int] = []


def flaky(value: int) -> int:
    attempts.append(value)
    if len(attempts) < 2:
        raise ConnectionError("not yet")
    return value


def refuse(value: int) -> int:
    raise ValueError(f"no {value} today")


async def slow(value: int) -> int:
    await adispatch_custom_event("started", value)
    await asyncio.sleep(60)
    return value


async def main() -> None:
    retried = RunnableLambda(flaky).with_retry(wait_exponential_jitter=False, stop_after_attempt=2)
    print(f"retried: {await retried.ainvoke(1)}")

    replaced = RunnableLambda(refuse).with_fallbacks([RunnableLambda(lambda _: 0, name="instead")])
    print(f"replaced: {await replaced.ainvoke(2)}")

    try:
        await asyncio.wait_for(RunnableLambda(slow).ainvoke(3), timeout=0.05)
    except asyncio.TimeoutError:
        print("cancelled by its deadline")


if __name__ == "__main__":
    with capture_runs() as runs:
        asyncio.run(main())
    print(runs.tree())
