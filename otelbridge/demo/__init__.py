"""A pipeline over real text, to watch: ``make demo``, or ``otelbridge demo [FOLDER]``.

It indexes a folder of text and answers a question about it, with no model and no network.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from otelbridge import ConfigurationError, RunnableConfig, start_run
from otelbridge.export import Handle, configure, environment, render
from otelbridge.export.otlp import endpoint_is_set
from otelbridge.export.terminal import wants_colour, width_of
from otelbridge.testing import CapturedRuns, capture_runs

from .corpus import CorpusError, Files, counted, default_folder, find_files
from .pipeline import answer, index_files, search_index
from .progress import ProgressBar
from .screen import Screen
from .search import Index, telling_word

__all__ = ["run"]

QUESTION = "What happens when a future is cancelled?"
_NOT_UTF8 = b"The demo makes this file. Its last word is not UTF-8: caf\xe9\n"
_CHECKOUT = Path(__file__).parents[2]
_STORE = "store "  # how an output that is a store begins
_IN_MEMORY = "store in memory"


def run(folder: str | None = None, question: str | None = None) -> int:
    """Index the text of ``folder``, answer a question about it and print the trace.

    Args:
        folder: where to find text; None means the standard library's sources.
        question: None means one that is chosen for the text.

    Returns:
        The exit code: 0, or 2 where the folder cannot be used.
    """
    try:
        files = find_files(None if folder is None else Path(folder))
        _watch(files, question, Screen(sys.stdout))
    except (CorpusError, ConfigurationError) as error:
        print(f"otelbridge demo: {error}", file=sys.stderr)
        return 2
    return 0


def _watch(files: Files, question: str | None, screen: Screen) -> None:
    """Run both pipelines as one run, with a progress bar as its handler."""
    found_files = counted(len(files.paths), "text file")
    screen.say(f"{found_files} in {files.folder}{_left_out(files)},")
    screen.say("and one put in on purpose that cannot be decoded\n")
    config: RunnableConfig = {"callbacks": [ProgressBar(screen)]}
    service, about = _service()
    with (
        tempfile.TemporaryDirectory() as made,
        capture_runs(service_name=service, resource_attributes=about) as runs,
        _kept_and_sent(runs) as handle,
    ):
        broken = Path(made, "not-utf8-on-purpose.txt")
        broken.write_bytes(_NOT_UTF8)
        with start_run("demo", config=config):
            index = index_files().invoke(replace(files, paths=(*files.paths, broken)))
            asked = question or _question(files, index)
            found = search_index(index).invoke(asked)
            screen.say(f"\nQuestion: {asked}\nAnswer:")
            for piece in answer().stream(found):
                screen.say(piece, end="")
        sent, kept = _sent(handle, service), _kept(handle)
    trace_id = _trace_id(runs)
    screen.say("\nThe trace, with each custom event on the run that dispatched it:\n")
    out = screen.out
    screen.show(render(runs.spans, colour=wants_colour(out), width=width_of(out)))
    if sent:
        screen.say(f"\n{sent}")
    if kept:
        screen.say(f"\nIt is kept in {kept}. With `otelbridge view` running, its page is")
        screen.say(f"  http://127.0.0.1:4321/trace/{trace_id}")
    screen.say("\nNext:")
    for command, what in _next_steps(trace_id if kept else None):
        screen.say(f"  {command:<60}  {what}")


def _service() -> tuple[str, dict[str, str]]:
    """Return what the environment calls the service, and what else it says of it."""
    about = environment.pairs(os.environ, "OTEL_RESOURCE_ATTRIBUTES")
    named = about.pop("service.name", "otelbridge-demo")
    return environment.text(os.environ, "OTEL_SERVICE_NAME") or named, about


def _kept_and_sent(runs: CapturedRuns) -> Handle:
    """Put the trace into the store, and where the environment says besides."""
    says = environment.text(os.environ, "OTELBRIDGE_STORE") or not endpoint_is_set(os.environ)
    return configure(tracer_provider=runs.provider, store=None if says else True)


def _kept(handle: Handle) -> str:
    """Return the store's file; nothing where the trace is not in one."""
    stores = [it for it in handle.outputs if it.startswith(_STORE) and it != _IN_MEMORY]
    return stores[0].removeprefix(_STORE) if stores else ""


def _sent(handle: Handle, service: str) -> str:
    """Send what is waiting, and say where it went; nothing where it goes nowhere."""
    where = ", ".join(it for it in handle.outputs if not it.startswith(_STORE))
    if not where:
        handle.flush(timeout_s=5)
        return ""
    if handle.flush(timeout_s=5):
        return f"The trace was sent to {where}. Look there for the service {service}."
    return f"The trace could not be sent to {where}. Is something listening there?"


def _trace_id(runs: CapturedRuns) -> str:
    context = runs.find("demo").context
    return f"{context.trace_id:032x}" if context is not None else ""


def _left_out(files: Files) -> str:
    if not files.left_out:
        return ""
    return f" ({files.left_out:,} more are left out: the demo reads a few MB)"


def _question(files: Files, index: Index) -> str:
    if files.folder == default_folder():
        return QUESTION
    return f"What is said about {telling_word(index)}?"


def _next_steps(trace_id: str | None) -> list[tuple[str, str]]:
    """What to try, as commands that work from where the demo was started.

    Args:
        trace_id: of the trace; None where it is in no store.
    """
    here = Path.cwd() == _CHECKOUT
    python = Path(sys.executable)
    # The interpreter of `make demo` lies in the checkout: a path from there is short.
    shown = python.relative_to(_CHECKOUT) if here and _CHECKOUT in python.parents else python
    beside = python.with_name("otelbridge").exists()
    command = shown.with_name("otelbridge") if here and beside else Path("otelbridge")
    steps = []
    if trace_id is not None:
        steps = [
            (f"{command} show {trace_id[:8]}", "this trace again"),
            (f"{command} view --open", "all traces in the browser, live"),
        ]
    if not (_CHECKOUT / "examples" / "guide_handler.py").exists():
        return [*steps, ("otelbridge demo FOLDER", "the same over text of your own")]
    example = Path("examples", "guide_handler.py")
    return [
        *steps,
        ("make demo FOLDER=...", "the same over text of your own"),
        (f"{shown} {example if here else _CHECKOUT / example}", "a program of 20 lines"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 make demo", "... and sent to Jaeger"),
    ]
