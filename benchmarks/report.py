"""The table of a benchmark's results, and which of them are over their budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.contests import HAND, LEAST, OURS, UPSTREAM

TOLERANCE = 1.25
"""How far over its budget a ratio may be before ``--check`` fails: noise is not a failure."""


@dataclass(frozen=True)
class Line:
    """One measured claim."""

    what: str
    ours: str
    against: str
    upstream: str
    measured: str
    spread: str
    value: float
    budget: float | None

    @property
    def verdict(self) -> str:
        """``ok``, ``OVER``, or nothing where there is no budget."""
        if self.budget is None:
            return ""
        return "ok" if self.value <= self.budget else "OVER"

    @property
    def far_over(self) -> bool:
        """Whether the budget is missed by more than noise explains."""
        return self.budget is not None and self.value > self.budget * TOLERANCE


HEADINGS = ("what", "ours", "against", "langchain", "measured", "quartiles", "budget", "")


def lines(results: Mapping[str, Any]) -> list[Line]:
    """Every claim in ``results`` (the JSON of a benchmark), in the order of the table."""
    return [
        *(line for contest in results["contests"] for line in _contest(contest)),
        *(line for compared in results["export"] for line in _export(compared)),
        *(_imports(results["imports"]) if results["imports"] else ()),
        *(_memory(case) for case in results["memory"]),
        *(_store(results["store"]) if results["store"] else ()),
        *(line for contest in results["langchain"] for line in _langchain(contest)),
    ]


def table(all_lines: list[Line]) -> str:
    """The lines as text in columns."""
    rows = [HEADINGS, *(_cells(line) for line in all_lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(_row(row, widths) for row in rows)


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join(
        [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    ).rstrip()


def _cells(line: Line) -> tuple[str, ...]:
    budget = "" if line.budget is None else f"{line.budget:g}"
    return (
        line.what,
        line.ours,
        line.against,
        line.upstream,
        line.measured,
        line.spread,
        budget,
        line.verdict,
    )


_SETTING = {"recording": "", "unsampled": "unsampled: ", "absent": "no SDK: "}


def _contest(contest: Mapping[str, Any]) -> Iterator[Line]:
    times = contest["microseconds"]
    title = _SETTING[contest["sdk"]] + contest["name"]
    upstream = contest["upstream"]
    for opponent, ratio in contest["ratios"].items():
        yield Line(
            what=title if opponent == HAND else f"{title} (bare)",
            ours=_us(times[OURS]["median"]),
            against=_us(times[opponent]["median"]),
            upstream=f"{upstream['median']:.1f}x" if upstream and opponent == HAND else "",
            measured=f"{ratio['median']:.2f}x",
            spread=f"{ratio['low']:.2f}-{ratio['high']:.2f}",
            value=ratio["median"],
            budget=ratio["budget"],
        )
    if contest["chunk"]:
        yield _chunk(title, contest["chunk"])
        yield _least_chunk(title, contest["chunk"]["added"][LEAST])


def _chunk(title: str, chunk: Mapping[str, Any]) -> Line:
    added = chunk["added"]
    ours, upstream = added[OURS], added.get(UPSTREAM)
    return Line(
        what=f"{title}: a chunk more than the generator",
        ours=_us(ours["median"]),
        against=_us(added[HAND]["median"]),
        upstream=_us(upstream["median"]) if upstream else "",
        measured=_us(ours["median"]),
        spread=f"{ours['low']:.2f}-{ours['high']:.2f}",
        value=ours["median"],
        budget=chunk["budget"],
    )


def _least_chunk(title: str, least: Mapping[str, float]) -> Line:
    """What a chunk costs at the least, to be seen beside what ours costs."""
    return Line(
        what=f"{title}: the least that a Context takes",
        ours="",
        against=_us(least["median"]),
        upstream="",
        measured=_us(least["median"]),
        spread=f"{least['low']:.2f}-{least['high']:.2f}",
        value=least["median"],
        budget=None,
    )


def _export(compared: Mapping[str, Any]) -> Iterator[Line]:
    times = compared["microseconds"]
    for side, ratio in compared["ratios"].items():
        yield Line(
            what=compared["name"] + side.removeprefix(OURS),
            ours=_us(times[side]["median"]),
            against=_us(times[compared["against"]]["median"]),
            upstream="",
            measured=f"{ratio['median']:.2f}x",
            spread=f"{ratio['low']:.2f}-{ratio['high']:.2f}",
            value=ratio["median"],
            budget=ratio["budget"],
        )


def _store(found: Mapping[str, Any]) -> Iterator[Line]:
    for contest in found["contests"]:
        yield from _export(contest)
    for claim in found["claims"]:
        yield Line(
            what=claim["name"],
            ours="",
            against="",
            upstream="",
            measured=f"{claim['median']:.2f} {claim['unit']}",
            spread=f"{claim['low']:.2f}-{claim['high']:.2f}",
            value=claim["median"],
            budget=claim["budget"],
        )


def _langchain(contest: Mapping[str, Any]) -> Iterator[Line]:
    times, spans = contest["microseconds"], contest["spans"]
    title = f"LangChain: {_SETTING[contest['sdk']]}{contest['name']}"
    for side, ratio in contest["ratios"].items():
        yield Line(
            what=title if side == OURS else f"{title}: {side}, {_counted(spans[side])}",
            ours=_us(times[side]["median"]) if side == OURS else "",
            against=_us(times[side]["median"]) if side != OURS else "",
            upstream=_us(times[contest["against"]]["median"]),
            measured=f"{ratio['median']:.2f}x",
            spread=f"{ratio['low']:.2f}-{ratio['high']:.2f}",
            value=ratio["median"],
            budget=ratio["budget"],
        )
    if contest["a span"]:
        yield _added(title, contest["a span"])


def _added(title: str, added: Mapping[str, Any]) -> Line:
    times, ratio, cheapest = added["microseconds"], added["ratio"], added["cheapest"]
    return Line(
        what=f"{title}: added for a span, ours and {cheapest}",
        ours=_us(times[OURS]["median"]),
        against=_us(times[cheapest]["median"]),
        upstream="",
        measured=f"{ratio['median']:.2f}x",
        spread=f"{ratio['low']:.2f}-{ratio['high']:.2f}",
        value=ratio["median"],
        budget=ratio["budget"],
    )


def _counted(spans: int) -> str:
    return f"{spans} span" if spans == 1 else f"{spans} spans"


def _imports(imports: Mapping[str, Any]) -> Iterator[Line]:
    yield _import_line("import: processor time", imports["ms"], "ms", imports["time_budget_ms"])
    memory_budget = imports["memory_budget_mib"]
    if imports["rss_mib"]:
        yield _import_line("import: resident memory", imports["rss_mib"], "MiB", memory_budget)
    yield _import_line("import: traced memory", imports["traced_mib"], "MiB", memory_budget)


def _import_line(what: str, spread: Mapping[str, float], unit: str, budget: float) -> Line:
    return Line(
        what=what,
        ours="",
        against="",
        upstream="",
        measured=f"{spread['median']:.2f} {unit}",
        spread=f"{spread['low']:.2f}-{spread['high']:.2f}",
        value=spread["median"],
        budget=budget,
    )


def _memory(case: Mapping[str, Any]) -> Line:
    grown = case.get("rss_mib")
    return Line(
        what=f"memory after {case['runs']:,} runs: {case['name'].replace('_', ' ')}",
        ours="",
        against="",
        upstream="",
        measured="not told" if grown is None else f"{grown:+.2f} MiB",
        spread=f"{case['objects']:+d} obj",
        value=0.0 if grown is None else grown,
        budget=None if case["name"] == "by_hand" else case["budget_mib"],
    )


def _us(microseconds: float) -> str:
    return f"{microseconds:,.2f} µs" if microseconds < 100 else f"{microseconds:,.0f} µs"
