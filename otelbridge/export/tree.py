"""Finished spans drawn as text: one line for each span and each event, in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from otelbridge import semconv
from otelbridge.export.forest import Node, forest, start_of, walk
from otelbridge.export.terminal import Part, paint

Row = tuple[str, str, Node | Event]  # guide of the line, guide of the lines below it, what to show

_TIME_COLUMN = 9
_ID_DIGITS = 8  # of a trace id that a line mentions; `otelbridge show` takes as many
_LINKS = 3  # that a line mentions; a consumer of messages may have hundreds
_HIDDEN = frozenset(
    {
        semconv.EXCEPTION_TYPE,
        semconv.EXCEPTION_MESSAGE,
        semconv.EXCEPTION_STACKTRACE,
        semconv.EXCEPTION_ESCAPED,
        semconv.TRUNCATED,
    }
)


def render(
    spans: Sequence[ReadableSpan],
    *,
    colour: bool = False,
    width: int | None = 120,
    times: bool = True,
) -> str:
    """Draw finished spans as one tree a trace, events and children together by time.

    Args:
        spans: finished spans, in any order, of one trace or several.
        colour: mark the parts with ANSI colours.
        width: columns of the terminal; longer lines are cut. None: nothing is cut.
        times: show each line's offset from the start of its trace, and each span's duration.
            Without them the text is for comparing, so that it has no ids either.

    Returns:
        The lines, each ended by a line break; empty without spans.
    """
    traces: dict[int, list[Node]] = {}
    for root in forest(spans):
        traces.setdefault(_trace_of(root.span), []).append(root)
    links = _Links(spans, ids=times)
    lines: list[str] = []
    for trace_id, trees in traces.items():
        if times:
            lines.append(paint(_header(trace_id, trees), width, colour=colour))
        begin = min(start_of(root.span) for root in trees)
        for guide, item in _rows(trees):
            clock = _clock(item, begin) if times else ""
            parts = [("dim", clock + _shorten(guide, width)), *_texts(item, links)]
            lines.append(paint(parts, width, colour=colour))
    return "".join(line + "\n" for line in lines)


def _rows(roots: Iterable[Node]) -> Iterator[tuple[str, Node | Event]]:
    """Yield each line's guide and what it shows. No recursion: traces may be thousands deep."""
    todo: list[Row] = [("", "", root) for root in roots]
    todo.reverse()
    while todo:
        guide, below, item = todo.pop()
        yield guide, item
        if not isinstance(item, Node):
            continue
        inside: list[Node | Event] = sorted([*_shown_events(item), *item.children], key=_time)
        children = len(item.children)
        rows: list[Row] = []
        for entry in inside:
            if isinstance(entry, Node):
                children -= 1
                branch, bar = ("├─ ", "│  ") if children else ("└─ ", "   ")
                rows.append((below + branch, below + bar, entry))
            else:
                rows.append((below + ("│ " if children else "  "), "", entry))
        todo.extend(reversed(rows))


def _shown_events(node: Node) -> list[Event]:
    """Leave out the exception that the span's own line tells already."""
    told = node.span.status.description if _failed(node.span) else None
    return [e for e in node.events if not (told and _is_exception(e) and _message(e) in told)]


def _texts(item: Node | Event, links: _Links) -> Iterator[Part]:
    if isinstance(item, Node):
        yield from _span_parts(item.span)
        yield from links.parts(item.span)
    else:
        yield from _event_parts(item)


def _span_parts(span: ReadableSpan) -> Iterator[Part]:
    attributes = span.attributes or {}
    yield "name", span.name
    kind = attributes.get(semconv.RUN_TYPE)
    if kind is None and span.kind is not SpanKind.INTERNAL:
        kind = span.kind.name.lower()
    if kind is not None:
        yield "dim", f" [{kind}]"
    if outcome := attributes.get(semconv.RUN_OUTCOME):
        yield "outcome", f"  ({outcome})"
    if _failed(span):
        yield "error", f"  ✗ {_failure(span)}"
    for arrow, key in (("→", semconv.RUN_INPUT), ("←", semconv.RUN_OUTPUT)):
        if key in attributes:
            yield "dim", f"  {arrow} {attributes[key]!s}"


class _Links:
    """Says what a span is linked to: a drawn span by its name, others by the start of an id.

    Args:
        spans: those that are drawn.
        ids: ids may be shown; a text to compare has none, as they are new each time.
    """

    def __init__(self, spans: Iterable[ReadableSpan], *, ids: bool) -> None:
        self._names = {
            (it.context.trace_id, it.context.span_id): it.name for it in spans if it.context
        }
        self._ids = ids

    def parts(self, span: ReadableSpan) -> Iterator[Part]:
        own = _trace_of(span)
        for link in span.links[:_LINKS]:
            kind = (link.attributes or {}).get(semconv.LINK_TYPE, "linked to")
            yield "dim", f"  ({kind} {self._target(link.context, own)})"
        if (more := len(span.links) - _LINKS) > 0:
            yield "dim", f"  ({more} more link{'s' * (more > 1)})"

    def _target(self, target: SpanContext, own: int) -> str:
        if name := self._names.get((target.trace_id, target.span_id)):
            return name
        kind, start = "span", f"{target.span_id:016x}"
        if target.trace_id != own:
            kind, start = "trace", f"{target.trace_id:032x}"[:_ID_DIGITS]
        return f"{kind} {start}" if self._ids else f"another {kind}"


def _event_parts(event: Event) -> Iterator[Part]:
    attributes = event.attributes or {}
    if _is_exception(event):
        yield "error", f"! {attributes.get(semconv.EXCEPTION_TYPE, 'exception')}: {_message(event)}"
    else:
        yield "dim", "· "
        yield "event", event.name
    if cut := attributes.get(semconv.TRUNCATED):
        shown = ", ".join(map(str, cut)) if isinstance(cut, (tuple, list)) else cut
        yield "outcome", f"  (cut: {shown})"
    for key, value in attributes.items():
        if key == semconv.DATA:
            yield "", f"  {value!r}"
        elif key not in _HIDDEN:
            yield "dim", f"  {key.removeprefix(semconv.DATA_PREFIX)}="
            yield "", repr(value)


def _header(trace_id: int, trees: list[Node]) -> list[Part]:
    nodes = walk(trees)
    counts = [(len(nodes), "span"), (sum(len(node.events) for node in nodes), "event")]
    errors = sum(_failed(node.span) for node in nodes)
    text = [f"{count} {word}{'s' * (count != 1)}" for count, word in counts]
    parts = [("dim", f"trace {trace_id:032x}  " + ", ".join(text))]
    if errors:
        parts.append(("error", f", {errors} error{'s' * (errors != 1)}"))
    parents = {f"{root.span.parent.span_id:016x}" for root in trees if root.span.parent}
    if parents:
        parts.append(("dim", f"  under {', '.join(sorted(parents))}"))
    return parts


def _clock(item: Node | Event, begin: int) -> str:
    offset = duration(_time(item) - begin)
    took = ""
    if isinstance(item, Node):
        end = item.span.end_time
        took = "no end" if end is None else duration(end - start_of(item.span))
    return f"{offset:>{_TIME_COLUMN}} {took:>{_TIME_COLUMN}}  "


def duration(time_ns: int) -> str:
    """Write a time in the unit that suits it, in at most eight characters below 100 hours."""
    if time_ns < 0:
        return "-" + duration(-time_ns)
    if time_ns < 999_500:
        return f"{time_ns / 1e3:.0f} µs"
    if time_ns < 999_950_000:
        return f"{time_ns / 1e6:.1f} ms"
    if time_ns < 59_995_000_000:
        return f"{time_ns / 1e9:.2f} s"
    minutes, seconds = divmod(round(time_ns / 1e9), 60)
    if minutes < 60:
        return f"{minutes}m {seconds:02}s"
    return f"{minutes // 60}h {minutes % 60:02}m"


def _shorten(guide: str, width: int | None) -> str:
    """Keep the deep end of a guide that would leave no room for what it leads to."""
    room = len(guide) if width is None else max(width // 3, 6)
    return guide if len(guide) <= room else "…" + guide[-room:]


def _trace_of(span: ReadableSpan) -> int:
    return span.context.trace_id if span.context else 0


def _time(item: Node | Event) -> int:
    return start_of(item.span) if isinstance(item, Node) else item.timestamp


def _failed(span: ReadableSpan) -> bool:
    return span.status.status_code is StatusCode.ERROR


def _failure(span: ReadableSpan) -> str:
    """Return the kind of a span's error and its message, each once."""
    told = span.status.description or ""
    kind = str((span.attributes or {}).get(semconv.ERROR_TYPE, ""))
    if kind in told:
        return told or "error"
    return f"{kind}: {told}" if told else kind


def _is_exception(event: Event) -> bool:
    return event.name == semconv.EXCEPTION and semconv.EXCEPTION_TYPE in (event.attributes or ())


def _message(event: Event) -> str:
    return str((event.attributes or {}).get(semconv.EXCEPTION_MESSAGE, ""))
