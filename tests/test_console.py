"""Finished traces on the console: what a tree says, when it is printed, and what it survives."""

from __future__ import annotations

import gc
import io
import os
import random
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from otelbridge import semconv
from otelbridge.export.console import ConsoleTree, render
from otelbridge.export.forest import forest, walk
from otelbridge.export.terminal import cells, escape, paint, showable, wants_colour, width_of
from otelbridge.export.tree import duration

MS = 1_000_000
START = 1_700_000_000_000_000_000
NOTHING = Resource({})  # without one, the SDK detects the resource of each span made by hand


class Ids(IdGenerator):
    """Ids that are the same each time."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def generate_span_id(self) -> int:
        """The next number."""
        return next(self._numbers)

    def generate_trace_id(self) -> int:
        """The next number, in the upper half."""
        return next(self._numbers) << 64


class Program:
    """Spans at given times, in ms after the start, on one provider."""

    def __init__(self, *processors: ConsoleTree) -> None:
        self.provider = TracerProvider(resource=NOTHING, id_generator=Ids(), shutdown_on_exit=False)
        for processor in processors:
            self.provider.add_span_processor(processor)
        self.tracer = self.provider.get_tracer("test")
        self.spans: list[ReadableSpan] = []

    def start(
        self, name: str, at: float = 0, parent: trace.Span | None = None, **options: object
    ) -> Span:
        """Start a span."""
        context = trace.set_span_in_context(parent) if parent else None
        span = self.tracer.start_span(
            name,
            context,
            start_time=START + int(at * MS),
            **options,  # type: ignore[arg-type]
        )
        assert isinstance(span, Span)
        self.spans.append(span)
        return span

    def event(self, span: Span, name: str, at: float, **attributes: object) -> None:
        """Add an event; ``__`` in a key is a dot."""
        prefixed = {key.replace("__", "."): value for key, value in attributes.items()}
        span.add_event(name, prefixed, START + int(at * MS))  # type: ignore[arg-type]

    def end(self, span: Span, at: float = 0) -> None:
        """End a span."""
        span.end(START + int(at * MS))


def page_attributes(number: int) -> dict[str, object]:
    """What marks a page."""
    return {semconv.RUN_ID: "r", semconv.PAGE: number}


# ---------------------------------------------------------------------------- the drawing


def test_tree_shows_runs_events_and_times_in_the_order_of_time() -> None:
    """Events and children of a run come by time, with offsets, durations, types and data."""
    program = Program()
    ask = program.start("ask", attributes={semconv.RUN_TYPE: "chain"})
    program.event(ask, "progress", 1, data__done=1, data__file="a.txt")
    load = program.start("load", 2, ask, attributes={semconv.RUN_TYPE: "tool"})
    program.event(load, "event2", 3, data=5)
    program.end(load, 14.5)
    program.event(ask, "own", 15, colour="red", data__ok=True)
    call = program.start("GET /", 16, ask, kind=SpanKind.CLIENT)
    program.end(call, 1016)
    program.event(ask, "done", 1017)
    program.end(ask, 1500)
    assert render(program.spans) == (
        "trace 00000000000000010000000000000000  3 spans, 4 events\n"
        "     0 µs    1.50 s  ask [chain]\n"
        "   1.0 ms            │ · progress  done=1  file='a.txt'\n"
        "   2.0 ms   12.5 ms  ├─ load [tool]\n"
        "   3.0 ms            │    · event2  5\n"
        "  15.0 ms            │ · own  colour='red'  ok=True\n"
        "  16.0 ms    1.00 s  └─ GET / [client]\n"
        "   1.02 s              · done\n"
    )


def test_tree_without_times_shows_the_structure_alone() -> None:
    """Without times the drawing is the same each time, and has no header."""
    program = Program()
    a = program.start("a")
    b = program.start("b", 2, a)
    c = program.start("c", 1, a)
    d = program.start("d", 1.5, c)
    for span in (d, c, b, a):
        program.end(span, 3)
    assert render(program.spans, times=False) == "a\n├─ c\n│  └─ d\n└─ b\n"


def test_tree_tells_an_error_once_with_its_kind() -> None:
    """The span's line has kind and message; an exception that says the same is left out."""
    program = Program()
    run = program.start("run", attributes={semconv.ERROR_TYPE: "ValueError"})
    run.record_exception(KeyError("handled"), timestamp=START)
    run.record_exception(ValueError("bad thing"), timestamp=START)
    run.set_status(Status(StatusCode.ERROR, "bad thing"))
    program.end(run, 1)
    assert render(program.spans, times=False) == (
        "run  ✗ ValueError: bad thing\n  ! KeyError: 'handled'\n"
    )
    assert "1 span, 2 events, 1 error\n" in render(program.spans)


@pytest.mark.parametrize(
    ("kind", "description", "shown"),
    [
        (None, "ValueError: bad", "ValueError: bad"),
        (None, None, "error"),
        ("ValueError", None, "ValueError"),
        ("ValueError", "ValueError", "ValueError"),
    ],
)
def test_tree_shows_whatever_an_error_says(
    kind: str | None, description: str | None, shown: str
) -> None:
    """Spans of other libraries have a description alone, or nothing."""
    program = Program()
    run = program.start("run", attributes={semconv.ERROR_TYPE: kind} if kind else {})
    run.set_status(Status(StatusCode.ERROR, description))
    program.end(run)
    assert render(program.spans, times=False) == f"run  ✗ {shown}\n"


def test_tree_says_what_a_span_is_linked_to() -> None:
    """A drawn span by its name, others by id, of a trace the digits that ``show`` takes.

    Without times the text is for comparing: it has no ids, which are new each time.
    """
    program = Program()
    ask = program.start("ask")
    others = [SpanContext(0x3F2A91C0 << 96 | n, n, False) for n in range(1, 5)]
    resumed = program.start("resume", 1, ask)
    resumed.add_link(others[0], {semconv.LINK_TYPE: semconv.LINK_RESUMES})
    near = program.start("near", 2, ask)
    near.add_link(ask.get_span_context())
    near.add_link(SpanContext(ask.get_span_context().trace_id, 0xABC, False))
    many = program.start("many", 3, ask)
    for other in others:
        many.add_link(other)
    for span in (many, near, resumed, ask):
        program.end(span, 4)
    linked = "  (linked to another trace)"
    assert render(program.spans, times=False) == (
        "ask\n"
        "├─ resume  (resumes another trace)\n"
        "├─ near  (linked to ask)  (linked to another span)\n"
        f"└─ many{linked * 3}  (1 more link)\n"
    )
    linked = "  (linked to trace 3f2a91c0)"
    shown = [line.partition("─ ")[2] for line in render(program.spans, width=None).splitlines()[2:]]
    assert shown == [
        "resume  (resumes trace 3f2a91c0)",
        "near  (linked to ask)  (linked to span 0000000000000abc)",
        f"many{linked * 3}  (1 more link)",
    ]


def test_tree_shows_outcome_content_and_what_was_cut() -> None:
    """A cancelled run, its recorded input and output, and a truncated event say so."""
    program = Program()
    run = program.start(
        "run",
        attributes={
            semconv.RUN_OUTCOME: "cancelled",
            semconv.RUN_INPUT: '"in"',
            semconv.RUN_OUTPUT: '"out"',
        },
    )
    program.event(run, "big", 0, data__x="abc", otelbridge__truncated="data.x")
    program.end(run)
    assert render(program.spans, times=False) == (
        'run  (cancelled)  → "in"  ← "out"\n  · big  (cut: data.x)  x=\'abc\'\n'
    )


def test_tree_folds_pages_into_their_run() -> None:
    """A page's events are the run's; the page itself is not shown or counted."""
    program = Program()
    run = program.start("run")
    program.event(run, "e", 1, data=1)
    program.event(run, "exception", 9, exception__type="E", exception__message="m")
    for number in (1, 2):
        page = program.start("run events", 2, run, attributes=page_attributes(number))
        program.event(page, "e", 1 + number, data=1 + number)
        program.end(page, 3)
    program.end(run, 10)
    assert render(program.spans, times=False) == ("run\n  · e  1\n  · e  2\n  · e  3\n  ! E: m\n")
    assert "  1 span, 4 events\n" in render(program.spans)


def test_tree_shows_a_page_that_comes_without_its_run() -> None:
    """A page whose run is not among the spans is shown, so that no event is lost."""
    program = Program()
    run = program.start("run")
    page = program.start("run events", 1, run, attributes=page_attributes(1))
    program.event(page, "e", 2)
    program.end(page, 3)
    assert render([page], times=False) == "run events\n  · e\n"


def test_tree_of_a_remote_parent_says_what_it_is_under() -> None:
    """The header names the span, here or elsewhere, that the shown spans lie under."""
    remote = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1))
    program = Program()
    for name in ("first", "second"):
        program.end(program.start(name, 0, trace.NonRecordingSpan(remote)))
    assert render(program.spans) == (
        "trace 00000000000000000000000000000abc  2 spans, 0 events  under 0000000000000def\n"
        "     0 µs      0 µs  first\n"
        "     0 µs      0 µs  second\n"
    )


def test_tree_of_several_traces_has_a_header_for_each() -> None:
    """Traces come by their first start, each with its own offsets."""
    program = Program()
    for name, at in (("late", 50), ("early", 10)):
        program.end(program.start(name, at), at)
    lines = render(program.spans).splitlines()
    assert [line.split()[-1] for line in lines] == ["events", "early", "events", "late"]
    assert lines[3].startswith("     0 µs")


def test_tree_of_nothing_is_empty() -> None:
    """No spans, no text."""
    assert render([]) == ""


def test_tree_shows_spans_made_by_hand() -> None:
    """Spans without context, times or attributes are roots like any other."""
    spans = [ReadableSpan("one", resource=NOTHING), ReadableSpan("two", resource=NOTHING)]
    assert [line.split()[-1] for line in render(spans).splitlines()] == ["events", "one", "two"]


def test_tree_cuts_circles_of_parents() -> None:
    """Spans that name each other as parents are each shown once."""
    contexts = [SpanContext(1, number, is_remote=False) for number in range(4)]
    ring = [
        ReadableSpan(
            f"s{at}", contexts[at], parent=contexts[at % 3 + 1], start_time=at, resource=NOTHING
        )
        for at in (1, 2, 3)
    ]
    own_parent = ReadableSpan("self", contexts[0], parent=contexts[0], start_time=0)
    shown = render([*ring, own_parent], times=False)
    assert sorted(shown.replace("└─", "").split()) == ["s1", "s2", "s3", "self"]
    assert "s1\n└─ s3\n   └─ s2\n" in shown


def test_tree_of_a_very_deep_trace_keeps_its_lines_short() -> None:
    """Depth costs neither recursion nor the name at the end."""
    program = Program()
    parent = None
    for depth in range(3_000):
        parent = program.start(f"n{depth}", 0, parent)
    for span in program.spans:
        assert isinstance(span, Span)
        program.end(span)
    lines = render(program.spans, width=80).splitlines()
    assert len(lines) == 3_001
    assert lines[-1].endswith("└─ n2999")
    assert max(map(len, lines)) <= 80


# ---------------------------------------------------------------------------- the terminal

HOSTILE = "a\x1b[2J\r\nb\x07\u202e\ud800\x9b31m\u2028"


def test_hostile_names_and_data_stay_on_their_line() -> None:
    """Control characters, escapes and line breaks are written as Python escapes."""
    program = Program()
    run = program.start(HOSTILE, attributes={semconv.RUN_TYPE: HOSTILE})
    program.event(run, HOSTILE, 0, data__x=HOSTILE, **{HOSTILE: 1, "data": [HOSTILE]})
    run.set_status(Status(StatusCode.ERROR, HOSTILE))
    program.end(run)
    shown = render(program.spans, times=False, width=None)
    assert len(shown.splitlines()) == 2
    assert all(line.isprintable() for line in shown.splitlines())
    assert r"a\x1b[2J\r\nb\x07\u202e\ud800\x9b31m\u2028" in shown


@given(st.text(), st.text(), st.integers(min_value=1, max_value=60))
def test_painted_line_is_printable_and_fits(first: str, second: str, width: int) -> None:
    """Whatever the text, a line has no control character and at most ``width`` columns."""
    line = paint([("name", first), ("", second)], width, colour=False)
    assert line.isprintable()
    assert cells(line) <= width


def test_painted_line_says_where_it_was_cut() -> None:
    """A cut line ends with an ellipsis; wide characters count two columns, marks none."""
    assert paint([("", "abcdef")], 6, colour=False) == "abcdef"
    assert paint([("", "abcdefg")], 6, colour=False) == "abcde…"
    assert paint([("", "日本語")], 6, colour=False) == "日本語"
    assert paint([("", "日本語版")], 6, colour=False) == "日本…"
    assert paint([("", "e\u0301" * 3)], 3, colour=False) == "e\u0301" * 3
    assert paint([("", "abc"), ("", "def")], 3, colour=False) == "abc"
    assert paint([("", "abc")], 0, colour=False) == "…"


def test_colour_marks_the_parts() -> None:
    """With colour, each part stands between its ANSI codes, and text without a style is bare."""
    line = paint([("name", "run"), ("", " x"), ("error", ""), ("error", "!")], 80, colour=True)
    assert line == "\x1b[1mrun\x1b[0m x\x1b[31m!\x1b[0m"
    program = Program()
    program.end(program.start("run"))
    assert "\x1b[1mrun\x1b[0m" in render(program.spans, colour=True)
    assert "\x1b" not in render(program.spans)


def test_printable_text_is_not_changed() -> None:
    """Letters of any script and backslashes stay as they are."""
    assert escape("C:\\temp Ωλ 日本 🎉") == "C:\\temp Ωλ 日本 🎉"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


class NoStream:
    """A stand-in for a stream that can only be written to."""


@pytest.mark.parametrize(
    ("stream", "environ", "wanted"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (NoStream(), {}, False),
    ],
)
def test_colour_is_for_terminals_unless_a_variable_says(
    stream: io.StringIO, environ: dict[str, str], wanted: bool
) -> None:
    """NO_COLOR wins over FORCE_COLOR, which wins over what the stream is."""
    assert wants_colour(stream, environ) is wanted


def test_a_closed_stream_is_no_terminal() -> None:
    """Asking a closed stream does not raise."""
    stream = Terminal()
    stream.isatty = io.StringIO.isatty.__get__(stream)  # type: ignore[method-assign]
    stream.close()
    assert wants_colour(stream, {}) is False


def test_width_is_the_terminals_or_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal's columns are kept to; a file gets long lines."""
    monkeypatch.setenv("COLUMNS", "77")
    assert width_of(Terminal()) == 77
    assert width_of(io.StringIO()) == 200


def test_text_is_made_to_fit_the_encoding() -> None:
    """What the stream's encoding lacks becomes plain ASCII or an escape."""
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert showable("├─ a ✗ µs 日", ascii_only) == "|- a x us \\u65e5"
    assert showable("├─ a ✗ µs 日", io.StringIO()) == "├─ a ✗ µs 日"


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "0 µs"),
        (999_499, "999 µs"),
        (999_500, "1.0 ms"),
        (999_949_999, "999.9 ms"),
        (999_950_000, "1.00 s"),
        (59_994_999_999, "59.99 s"),
        (59_995_000_000, "1m 00s"),
        (3_599_400_000_000, "59m 59s"),
        (3_600_000_000_000, "1h 00m"),
        (359_000_000_000_000, "99h 43m"),
        (-2_500_000, "-2.5 ms"),
    ],
)
def test_durations_have_the_unit_that_suits_them(time_ns: int, text: str) -> None:
    """Every size of time is short and readable, without a gap between the units."""
    assert duration(time_ns) == text


@given(st.integers(min_value=0, max_value=359_999_000_000_000))
def test_durations_are_at_most_eight_characters(time_ns: int) -> None:
    """Times below 100 hours fit their column."""
    assert len(duration(time_ns)) <= 8


# ---------------------------------------------------------------------------- the forest


@given(st.integers(min_value=0, max_value=12), st.randoms(use_true_random=False))
def test_forest_holds_every_span_once(size: int, chance: random.Random) -> None:
    """Whatever the parents, each span is in the forest exactly once."""
    contexts = [SpanContext(1, number, is_remote=False) for number in range(1, size + 1)]
    spans = [
        ReadableSpan(
            str(at),
            context,
            parent=chance.choice([None, *contexts, SpanContext(1, 999, is_remote=True)]),
            start_time=chance.randrange(5),
            resource=NOTHING,
        )
        for at, context in enumerate(contexts)
    ]
    found = [node.span.name for node in walk(forest(spans))]
    assert sorted(found) == sorted(span.name for span in spans)


# ---------------------------------------------------------------------------- when it is printed


def console(**options: int) -> tuple[io.StringIO, ConsoleTree]:
    """A console and what it writes to."""
    stream = io.StringIO()
    return stream, ConsoleTree(stream, **options)


def names(stream: io.StringIO) -> list[str]:
    """The names printed so far, without guides and headers."""
    lines = [line for line in stream.getvalue().splitlines() if line]
    return [line.split()[-1] for line in lines if not line.startswith("trace ")]


def test_trace_is_printed_when_its_last_span_has_ended() -> None:
    """A child that outlives its root is waited for, and the tree comes whole, in one piece."""
    stream, tree = console()
    program = Program(tree)
    root = program.start("root")
    child = program.start("child", 1, root)
    program.end(root, 2)
    assert stream.getvalue() == ""
    program.end(child, 3)
    assert stream.getvalue() == render(program.spans, width=200) + "\n"


def test_late_span_is_printed_under_the_same_trace() -> None:
    """A span that begins after its trace was printed comes as a supplement."""
    stream, tree = console()
    program = Program(tree)
    root = program.start("root")
    program.end(root)
    late = program.start("late", 5, root)
    program.end(late, 6)
    headers = [line for line in stream.getvalue().splitlines() if line.startswith("trace ")]
    assert names(stream) == ["root", "late"]
    assert headers[0].split()[1] == headers[1].split()[1]
    assert headers[1].endswith(f"under {root.get_span_context().span_id:016x}")


def test_traces_are_told_apart() -> None:
    """Interleaved traces are each printed when they are complete."""
    stream, tree = console()
    program = Program(tree)
    first, second = program.start("first"), program.start("second")
    inner = program.start("inner", 1, second)
    program.end(first, 2)
    assert names(stream) == ["first"]
    program.end(second, 3)
    program.end(inner, 4)
    assert names(stream) == ["first", "second", "inner"]


def test_trace_with_a_remote_parent_is_printed() -> None:
    """A local root below another process's span completes the part that is known here."""
    stream, tree = console()
    remote = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1))
    program = Program(tree)
    program.end(program.start("here", 0, trace.NonRecordingSpan(remote)))
    assert names(stream) == ["here"]


def test_span_that_began_before_the_console_is_printed() -> None:
    """A processor that is added in the middle of a trace still shows what ends."""
    stream, tree = console()
    program = Program()
    root = program.start("root")
    program.provider.add_span_processor(tree)
    program.end(program.start("child", 1, root), 2)
    program.end(root, 3)
    assert names(stream) == ["child", "root"]


def test_spans_that_are_not_sampled_are_not_shown() -> None:
    """Spans that only record, for another processor, are not counted or printed."""
    stream, tree = console()
    context = SpanContext(1, 2, is_remote=False)
    span = ReadableSpan("quiet", context)
    tree.on_end(span)
    tree.on_end(ReadableSpan("no context"))
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(tree)
    provider.get_tracer("t").start_span("off").end()
    recording_only = Program(tree).start("x")
    recording_only._context = context
    tree.on_start(recording_only)
    tree.shutdown()
    assert stream.getvalue() == ""


def test_flush_leaves_open_traces_whole_and_shutdown_prints_them() -> None:
    """Flushing prints no half tree; at shutdown what has ended is shown."""
    stream, tree = console()
    program = Program(tree)
    root = program.start("root")
    program.end(program.start("child", 1, root), 2)
    assert tree.force_flush() is True
    assert stream.getvalue() == ""
    tree.shutdown()
    assert names(stream) == ["child"]


def test_past_the_bound_of_spans_the_trace_is_printed_in_parts() -> None:
    """A trace of any length is held in bounded memory, and every span of it is shown once."""
    stream, tree = console(max_spans=10)
    program = Program(tree)
    idle = program.start("idle")
    root = program.start("root")
    for number in range(35):
        program.end(program.start(f"n{number}", 1, root), 2)
        assert tree._held <= 10
    program.end(root, 3)
    program.end(idle, 3)
    in_parts = [f"n{number}" for number in range(33)]
    assert names(stream) == [*in_parts, "root", "n33", "n34", "idle"]


def test_past_the_bound_of_traces_the_oldest_is_printed() -> None:
    """Traces that never end do not add up, and what they give later is still shown."""
    stream, tree = console(max_traces=3)
    program = Program(tree)
    roots = [program.start(f"root{number}") for number in range(5)]
    assert len(tree._traces) == 3
    for root in roots:
        program.end(root, 1)
    assert sorted(names(stream)) == [f"root{number}" for number in range(5)]
    assert not tree._traces


def test_output_goes_to_stderr_as_it_is_then(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a stream the tree is printed to the standard error of that moment."""
    program = Program(ConsoleTree())
    program.end(program.start("run"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == render(program.spans, width=200) + "\n"


def test_program_without_stderr_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where there is no standard error at all, nothing is printed and nothing complains."""
    monkeypatch.setattr(sys, "stderr", None)
    program = Program(ConsoleTree())
    program.end(program.start("run"))
    assert [record for record in caplog.records if record.name == "otelbridge"] == []


def test_stream_that_fails_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """A closed stream costs the program nothing; one log line says what happened."""
    stream, tree = console()
    stream.close()
    program = Program(tree)
    for _ in range(3):
        program.end(program.start("run"))
    assert [record.message for record in caplog.records if record.name == "otelbridge"] == [
        "otelbridge could not print a trace; the program goes on"
    ]
    assert not tree._traces
    assert tree._held == 0


def test_stream_that_blocks_costs_bounded_memory() -> None:
    """While a write hangs, other threads go on at once, and what waits is bounded."""
    writing, go_on = threading.Event(), threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            writing.set()
            assert go_on.wait(30)
            return super().write(text)

    stream = Stuck()
    tree = ConsoleTree(stream, max_spans=50)
    program = Program(tree)
    first = program.start("first")
    stuck = threading.Thread(target=program.end, args=(first,))
    stuck.start()
    assert writing.wait(30)
    for _ in range(200):
        program.end(program.start("more"))
    assert tree._facts.qsize() <= 101
    go_on.set()
    stuck.join(30)
    assert names(stream)[0] == "first"
    assert tree._facts.empty()


def test_span_that_ends_while_a_trace_is_drawn_is_drawn_after_it() -> None:
    """A signal handler or a logging hook may end spans in the midst of a write: no deadlock."""

    class Reentrant(io.StringIO):
        act: Callable[[], None] | None = None

        def write(self, text: str) -> int:
            act, self.act = self.act, None
            if act:
                act()
            return super().write(text)

    stream = Reentrant()
    program = Program(ConsoleTree(stream))
    stream.act = lambda: program.end(program.start("inside"))
    program.end(program.start("outside"))
    assert names(stream) == ["outside", "inside"]


def test_threads_print_every_trace_once_and_whole() -> None:
    """Many threads at once: no trace is lost, doubled or mixed with another."""
    stream, tree = console()
    provider = TracerProvider(resource=NOTHING, shutdown_on_exit=False)
    provider.add_span_processor(tree)
    tracer = provider.get_tracer("test")

    def work(number: int) -> None:
        for turn in range(25):
            with tracer.start_as_current_span(f"root{number}.{turn}"):
                tracer.start_span(f"child{number}.{turn}").end()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown = names(stream)
    assert sorted(shown[::2]) == sorted(f"root{n}.{t}" for n in range(8) for t in range(25))
    assert [name.replace("root", "child") for name in shown[::2]] == shown[1::2]


@contextmanager
def interrupts(act: Callable[[], None], every_s: float) -> Iterator[None]:
    """Call ``act`` from a signal handler, again and again."""
    before = signal.signal(signal.SIGALRM, lambda *_: act())
    signal.setitimer(signal.ITIMER_REAL, every_s, every_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no SIGALRM")
def test_signal_handlers_may_end_spans_at_any_point() -> None:
    """Spans from a signal handler that interrupts the console neither block nor get lost."""
    stream, tree = console()
    context = SpanContext(7, 7, is_remote=False, trace_flags=TraceFlags(1))
    signals = count()

    def end(name: str) -> None:
        tree.on_end(ReadableSpan(name, context, resource=NOTHING))

    with interrupts(lambda: end(f"signal{next(signals)}"), 0.001):
        for number in range(3000):
            end(f"main{number}")
    expected = [f"main{n}" for n in range(3000)] + [f"signal{n}" for n in range(next(signals))]
    assert sorted(names(stream)) == sorted(expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12, beside other threads
def test_forked_child_prints_its_own_spans_alone() -> None:
    """What was held at a fork is the parent's to print, and a lock taken there is new here."""
    stream, tree = console()
    program = Program(tree)
    root = program.start("root")
    program.end(program.start("before", 1, root), 2)
    reader, writer = os.pipe()
    tree._drawing.acquire()
    pid = os.fork()
    if pid == 0:  # pragma: no cover - runs in the child
        program.end(program.start("in the child", 3, root), 4)
        os.write(writer, stream.getvalue().encode())
        os._exit(0)
    tree._drawing.release()
    os.close(writer)
    with os.fdopen(reader) as pipe:
        in_the_child = pipe.read()
    os.waitpid(pid, 0)
    program.end(root, 5)
    assert "in the child" in in_the_child
    assert "before" not in in_the_child
    assert names(stream) == ["root", "before"]


def test_console_that_is_gone_is_not_kept_for_forks() -> None:
    """Nothing keeps a console alive that was dropped."""
    _, tree = console()
    gone = weakref.ref(tree)
    del tree
    gc.collect()
    assert gone() is None
