"""Plain functions, no runnables: `traced`, `start_run` and `trace_group`."""

from __future__ import annotations

from collections.abc import Iterator

from otelbridge import RunnableConfig, dispatch_custom_event, start_run, trace_group, traced
from otelbridge.testing import capture_runs


@traced
def load(count: int) -> list[int]:
    dispatch_custom_event("loaded", {"count": count})
    return list(range(count))


@traced(name="square each", run_type="tool")
def squares(numbers: list[int]) -> Iterator[int]:
    for number in numbers:
        yield number * number


def report() -> int:
    config: RunnableConfig = {"tags": ["nightly"], "metadata": {"customer": 7}}
    with start_run("report", config=config) as run:
        total = sum(squares(load(4)))
        run.event("summed", total)
        return total


if __name__ == "__main__":
    with capture_runs() as runs:
        print(report())
        with trace_group("two loads", [lambda name, data: print(f"heard {name} {data}")]):
            load(1)
            load(2)
    print(runs.tree())
    print(runs.find("report").attributes)
