"""The forms in which a runnable is called: sync, async, streams, threads."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest
from versions import installed
from ways import apart

Form = Callable[[Any, Any, Any], None]

CORE = installed("langchain-core")
NO_CONTEXT = sys.version_info < (3, 11) and CORE < (1, 5)
needs_context = pytest.mark.skipif(
    NO_CONTEXT, reason="langchain-core before 1.5 passes async bodies no context on Python 3.10"
)


def invoke(runnable: Any, value: Any, config: Any) -> None:
    runnable.invoke(value, config)


def ainvoke(runnable: Any, value: Any, config: Any) -> None:
    asyncio.run(runnable.ainvoke(value, config))


def stream(runnable: Any, value: Any, config: Any) -> None:
    assert list(runnable.stream(value, config))


def astream(runnable: Any, value: Any, config: Any) -> None:
    async def pull() -> None:
        assert [chunk async for chunk in runnable.astream(value, config)]

    asyncio.run(pull())


def in_thread(runnable: Any, value: Any, config: Any) -> None:
    apart(runnable.invoke, value, config)


SYNC: list[Form] = [invoke, stream, in_thread]
ASYNC: list[Form] = [ainvoke, astream]
every_form = pytest.mark.parametrize("form", SYNC + ASYNC)
every_form_with_context = pytest.mark.parametrize(
    "form", [*SYNC, *(pytest.param(form, marks=needs_context) for form in ASYNC)]
)
