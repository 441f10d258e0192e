"""Capture the runs of the code under test, without an exporter and without OTel's globals.

With pytest, say once in ``conftest.py`` ``pytest_plugins = ["otelbridge.testing"]``; then a test
takes the fixture ``capture_runs``. Anywhere else, use the context manager of the same name:

>>> from otelbridge import dispatch_custom_event, traced
>>> @traced
... def greet(who):
...     dispatch_custom_event("greeting", {"who": who})
>>> with capture_runs() as captured:
...     greet("Ada")
>>> print(captured.tree())
greet [chain]
  · greeting  who='Ada'
>>> captured.events("greet")
[('greeting', {'data.who': 'Ada'})]

Captures are independent of each other: tests may run in parallel in threads, tasks and processes.

``ScriptedChatModel`` is a chat model for LangChain that gives the answers it was told to give; it
needs langchain-core, which nothing else here does.

PYTEST_DONT_REWRITE: the messages below are complete, and a test may import this module first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otelbridge.testing._answer import Answer
from otelbridge.testing._captured import CapturedRuns, capture_runs

if TYPE_CHECKING:
    from otelbridge.testing._chat_model import ScriptedChatModel as ScriptedChatModel

# Without ScriptedChatModel, so that ``import *`` works where langchain-core is not installed.
__all__ = ["Answer", "CapturedRuns", "capture_runs"]

try:
    from otelbridge.testing._fixture import _capture_runs_fixture as _capture_runs_fixture
except ModuleNotFoundError as error:  # the context manager serves every other test runner
    if error.name != "pytest":
        raise


def __getattr__(name: str) -> Any:
    if name != "ScriptedChatModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from otelbridge.testing._chat_model import ScriptedChatModel
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("langchain_core"):
            raise
        raise ImportError(
            f"{name} needs langchain-core: pip install 'otelbridge[langchain]'"
        ) from error
    return ScriptedChatModel
