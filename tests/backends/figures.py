"""What the tests measured, for the end of the report: lost, duplicates, durations."""

from __future__ import annotations

lines: list[str] = []


def note(case: str, **values: object) -> None:
    """Keep the figures of one case."""
    shown = (f"{name} {_text(value)}" for name, value in values.items())
    lines.append(f"{case}: {', '.join(shown)}")


def _text(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else f"{value}"
