"""Programs written for langchain-core run after its name is replaced by `otelbridge`.

The texts in `programs/` are what a user would have; nothing but the package name is changed.
"""

from __future__ import annotations

import ast
import contextlib
import io
from pathlib import Path

import pytest

from .running import NO_CONFIG_IN_TASKS

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))
GUIDE_IN_ITS_OWN_FORM = """
import asyncio
from langchain_core.callbacks.manager import adispatch_custom_event
from langchain_core.runnables import RunnableLambda

async def reflect(value: str) -> str:
    await adispatch_custom_event("event1", {"reversed": value[::-1]})
    await adispatch_custom_event("event2", 5)
    return value

print(asyncio.run(RunnableLambda(reflect).ainvoke("hello world", {
    "callbacks": [{"handle_custom_event": lambda name, data, run_id: print(name, data)}]})))
"""
IMPORT_PATHS = {
    "langchain_core.callbacks",
    "langchain_core.callbacks.base",
    "langchain_core.callbacks.manager",
    "langchain_core.runnables",
    "langchain_core.runnables.base",
    "langchain_core.runnables.config",
    "langchain_core.tools",
}


def printed(text: str, name: str) -> str:
    """What a program prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(text, name, "exec"), {"__name__": "__main__"})
    return out.getvalue()


def swapped(text: str) -> str:
    """The program with the package's name replaced."""
    return text.replace("langchain_core", "otelbridge")


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program_prints_the_same_after_the_name_is_replaced(path: Path) -> None:
    """A program for langchain-core prints the same with otelbridge in its imports."""
    text = path.read_text(encoding="utf-8")
    if NO_CONFIG_IN_TASKS and "asyncio" in text:
        pytest.skip("upstream needs Python 3.11 in async code")
    ours = printed(swapped(text), path.name)
    assert ours == printed(text, path.name)
    assert ours


def test_guide_in_its_own_form_runs_after_the_name_is_replaced() -> None:
    """The guide's handler is a plain mapping, which upstream's Python library does not take."""
    assert printed(swapped(GUIDE_IN_ITS_OWN_FORM), "guide") == (
        "event1 {'reversed': 'dlrow olleh'}\nevent2 5\nhello world\n"
    )


def test_programs_use_every_import_path() -> None:
    """Together the programs import from each of upstream's paths that are promised."""
    used = {
        node.module
        for path in PROGRAMS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    assert used >= IMPORT_PATHS
