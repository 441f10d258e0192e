"""Nothing is kept of runs that have ended, however they ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IS_LONG = os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev") == "ci"
RUNS = 200_000 if IS_LONG else 10_000
WARM_UP = 12_000  # past the 10,000 ended runs that are remembered; quick ones
OWN_WARM_UP = 1_000  # of the kind that is counted
MOST_MORE = 1024 * 1024
BLOCKS_A_RUN = 1 / 20  # of Python's own: the law without the noise of the allocator's pages
BLOCKS = 200  # of caches that fill as they may, however many runs there are

PROGRAM = '''
import asyncio, gc, json, sys, weakref
from pathlib import Path
from opentelemetry.sdk.trace import TracerProvider
from otelbridge import RunnableGenerator, RunnableLambda, _run_ids, _tracing
from otelbridge import current_run, dispatch_custom_event

_tracing.set_default(_tracing.Tracing(TracerProvider(shutdown_on_exit=False)))
kind = sys.argv[1]
warm_up, own_warm_up, runs = map(int, sys.argv[2:])


class Handler:
    count = 0

    def handle_custom_event(self, name, data, run_id):
        Handler.count += 1


class Token:
    pass


def body(value, config):
    dispatch_custom_event("e", {"n": 1})
    return value


def fails(value, config):
    dispatch_custom_event("e", {"n": 1})
    raise LookupError("x")


async def waits(value, config):
    dispatch_custom_event("e", {"n": 1})
    await asyncio.get_running_loop().create_future()


def parts(values):
    for value in values:
        dispatch_custom_event("e", {"n": 1})
        yield value
        yield value


async def aparts(values):
    async for value in values:
        dispatch_custom_event("e", {"n": 1})
        yield value
        yield value


handler = Handler()


def invoke():
    RunnableLambda(body).invoke(Token(), {"callbacks": [handler], "tags": ["t"]})


def fail():
    try:
        RunnableLambda(fails).invoke(Token(), {"callbacks": [handler]})
    except LookupError:
        pass


def abandon():
    stream = RunnableGenerator(parts).stream(Token(), {"callbacks": [handler]})
    next(stream)


async def cancel():
    config = {"callbacks": [handler]}
    task = asyncio.ensure_future(RunnableLambda(waits).ainvoke(Token(), config))
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass


async def aabandon():
    stream = RunnableGenerator(aparts).astream(Token(), {"callbacks": [handler]})
    await anext(stream)
    del stream
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def aevents():
    config = {"callbacks": [handler]}
    stream = RunnableGenerator(aparts).astream_events(Token(), config, version="v2")
    while (await anext(stream))["event"] != "on_custom_event":
        pass
    await stream.aclose()


async def many(one, count):
    for _ in range(count):
        result = one()
        if result is not None:
            await result


def held():
    """Return the bytes of the process in memory, and how many blocks Python has given out."""
    while gc.collect():
        pass
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    resident = [int(line.split()[1]) for line in lines if line.startswith("VmRSS")]
    return (resident or [0])[0] * 1024, sys.getallocatedblocks()


def weakly():
    """Tell which of a handler, an input and a run live on."""
    found = {}

    def body(value, config):
        found["run"] = weakref.ref(current_run())
        found["input"] = weakref.ref(value)
        return None

    class Own(Handler):
        pass

    own = Own()
    found["handler"] = weakref.ref(own)
    RunnableLambda(body).invoke(Token(), {"callbacks": [own]})
    del own
    while gc.collect():
        pass
    return [name for name, ref in found.items() if ref() is not None]


async def main():
    await many(invoke, warm_up)
    await many(globals()[kind], own_warm_up)
    before = held()
    await many(globals()[kind], runs)
    return [now - then for now, then in zip(held(), before)]


more, blocks = asyncio.run(main())
print(json.dumps({
    "more": more,
    "blocks": blocks,
    "live": len(_run_ids.live),
    "events": Handler.count,
    "kept": weakly(),
}))
'''


@pytest.mark.parametrize("kind", ["invoke", "fail", "cancel", "abandon", "aabandon", "aevents"])
def test_nothing_is_kept_of_ended_runs(kind: str) -> None:
    """After many more runs no more than 1 MiB more is held, and nothing of a run lives on."""
    runs = RUNS if kind == "invoke" else RUNS // 10
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind, *map(str, (WARM_UP, OWN_WARM_UP, runs))],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "COVERAGE_PROCESS_CONFIG": "",  # what coverage holds is not counted
        },
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["more"] <= MOST_MORE
    assert said["blocks"] <= BLOCKS + runs * BLOCKS_A_RUN
    assert said["live"] == 0
    assert said["events"] >= WARM_UP + OWN_WARM_UP + runs
    assert said["kept"] == []
