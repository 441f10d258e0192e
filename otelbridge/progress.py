"""Progress bars from custom events: give ``ProgressBars()`` in a config's ``callbacks``.

An event carries progress when its data holds ``completed`` and ``total``, or ``progress`` from 0
to 1::

    dispatch_custom_event("load", {"completed": 3, "total": 10})
    dispatch_custom_event("train", {"progress": 0.3})

In a terminal and in a notebook bars are drawn, by the package rich; elsewhere each bar is one line
when it is complete.
"""

from __future__ import annotations

import atexit
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO, cast
from uuid import UUID

from otelbridge.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

__all__ = ["Progress", "ProgressBars", "bar", "read"]

_NAMES = ("description", "step", "label")


@dataclass(frozen=True, slots=True)
class Progress:
    """What one event tells of a piece of work.

    Attributes:
        name: of the work: the data's ``description``, ``step`` or ``label``, else the event's.
        completed: how much is done, in units of ``total``.
        total: of the whole; 1.0 where the event told a share.
        is_share: whether it told a share and no counts.
    """

    name: str
    completed: float
    total: float
    is_share: bool = False

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1; of a total of 0 all is done."""
        return min(1.0, max(0.0, self.completed / self.total)) if self.total > 0 else 1.0

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.completed >= self.total

    @property
    def text(self) -> str:
        """The counts as a person writes them: ``3 of 10``, or ``30 %``."""
        if self.is_share:
            return f"{100 * self.share:.0f} %"
        return f"{_number(self.completed)} of {_number(self.total)}"


def read(name: str, data: Any) -> Progress | None:
    """Return what an event tells of progress, or None where it tells nothing; never raises.

    Args:
        name: of the event.
        data: its data.
    """
    if not isinstance(data, Mapping):
        return None
    named = next((data[key] for key in _NAMES if isinstance(data.get(key), str)), name)
    completed, total, share = (_count(data.get(key)) for key in ("completed", "total", "progress"))
    if completed is not None and total is not None:
        return Progress(named, completed, total)
    if share is not None and share <= 1:
        return Progress(named, share, 1.0, is_share=True)
    return None


def bar(share: float, width: int) -> str:
    """Return a bar of ``width`` columns that is full by ``share``, from 0 to 1."""
    full = math.floor(share * width)
    return "━" * full + "─" * (width - full)


class ProgressBars:
    """A handler that draws one bar for each piece of work that the events of a run tell of.

    Use it as a context manager, or call ``close``, where bars may be left incomplete: it draws
    until every bar is complete. Events may come from several threads at once.

    Args:
        file: where to draw; None is standard error. In a notebook bars are drawn in the cell.
        console: a console of rich's to draw on, in place of ``file``.

    Raises:
        ConfigurationError: the package rich is not installed.

    Example:
        >>> import sys
        >>> from otelbridge import RunnableLambda, dispatch_custom_event
        >>> def work(count):
        ...     for number in range(1, count + 1):
        ...         dispatch_custom_event("work", {"completed": number, "total": count})
        >>> bars = ProgressBars(file=sys.stdout)  # no terminal: one line for a complete bar
        >>> RunnableLambda(work).invoke(3, {"callbacks": [bars]})
        work  3 of 3
    """

    def __init__(self, file: TextIO | None = None, *, console: Console | None = None) -> None:
        try:
            from rich.console import Console
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                "otelbridge.progress draws with the package rich, which is not installed: "
                "pip install 'otelbridge[view]'"
            ) from error
        self._console = console or (
            Console(stderr=True) if file is None else Console(file=file, highlight=False)
        )
        # A notebook is a console of its own, whatever file was named.
        self._draws = self._console.is_terminal or self._console.is_jupyter
        self._lock = threading.RLock()
        self._bars: dict[tuple[UUID | None, str], TaskID] = {}
        self._told: set[tuple[UUID | None, str]] = set()
        self._drawing: RichProgress | None = None

    def handle_custom_event(self, name: str, data: Any, run_id: UUID | None = None) -> None:
        """Draw what the event tells of progress; an event that tells nothing is left aside."""
        progress = read(name, data)
        if progress is None:
            return
        with self._lock:
            if self._draws:
                self._draw((run_id, progress.name), progress)
            elif progress.is_complete and (run_id, progress.name) not in self._told:
                self._told.add((run_id, progress.name))
                self._say(f"{_shown(progress.name)}  {progress.text}")

    def close(self) -> None:
        """Stop drawing; the bars stay as they are. A later event begins anew."""
        with self._lock:
            drawing, self._drawing = self._drawing, None
            self._bars.clear()
            self._told.clear()
            if drawing is not None:
                drawing.stop()
                atexit.unregister(self.close)

    def __enter__(self) -> ProgressBars:
        """Return the handler itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing."""
        self.close()

    def _draw(self, key: tuple[UUID | None, str], progress: Progress) -> None:
        drawing = self._drawing or self._begin()
        if (task := self._bars.get(key)) is None:
            task = self._bars[key] = drawing.add_task(_shown(progress.name), text="")
        drawing.update(task, completed=progress.completed, total=progress.total, text=progress.text)
        if drawing.finished:
            self.close()

    def _begin(self) -> RichProgress:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Drawing

        self._drawing = Drawing(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._drawing.start()
        # What is left incomplete must not leave a terminal without its cursor.
        atexit.register(self.close)
        return self._drawing

    def _say(self, line: str) -> None:
        from otelbridge.export.terminal import showable

        file = cast("TextIO", self._console.file)
        file.write(showable(line, file) + "\n")
        file.flush()


def _count(value: Any) -> float | None:
    """Return a number of zero or more; of anything else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < math.inf else None


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _shown(name: str) -> str:
    from otelbridge.export.terminal import escape

    return escape(name)
