"""What a native run passes on to the LangChain code in its body: its config.

LangChain looks for the config of the run around it in ``var_child_runnable_config``; a native run
sets that in the Context of its body, so that tags, metadata and handlers go across.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from otelbridge.context import border

if TYPE_CHECKING:
    from otelbridge.run import Run


class RunConfig(dict[str, Any]):
    """The config of what runs below a native run, made when LangChain looks into it.

    Most bodies run nothing of LangChain's, and making the config costs more than the run.
    """

    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run: Run | None = run

    def _whole(self) -> RunConfig:
        run, self._run = self._run, None
        if run is not None:
            self.update(run.child_config())
        return self

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return dict.__len__(self._whole())

    def __iter__(self) -> Iterator[str]:
        return dict.__iter__(self._whole())

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self._whole(), key)

    def __getitem__(self, key: str) -> Any:
        return dict.__getitem__(self._whole(), key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""
        return dict.get(self._whole(), key, default)

    def items(self) -> Any:
        """Return the keys with their values."""
        return dict.items(self._whole())

    def keys(self) -> Any:
        """Return the keys."""
        return dict.keys(self._whole())

    def values(self) -> Any:
        """Return the values."""
        return dict.values(self._whole())

    def copy(self) -> dict[str, Any]:
        """Return a plain copy."""
        return dict(dict.items(self._whole()))


def open_(config: ModuleType) -> None:
    """Let LangChain, whose module ``runnables.config`` this is, see the config of native runs."""
    variable = config.var_child_runnable_config

    def enter(run: Run) -> None:
        variable.set(RunConfig(run))

    border.enter = enter


def close() -> None:
    """Undo ``open_``."""
    border.enter = None
