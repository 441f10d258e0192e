"""Traces as text, by the names of runs: spans of models and tools say more than these."""

from __future__ import annotations

from typing import Any

from otelbridge import semconv
from otelbridge.testing import CapturedRuns

_OPERATIONS = ("execute_tool ", "retrieval ", "invoke_agent ", "invoke_workflow ")


def drawn(captured: CapturedRuns) -> str:
    """Draw every trace: name, outcome or error, events; models are called ``model``."""
    return "\n".join(line for root in captured.as_dicts() for line in _lines(root, ""))


def edges(captured: CapturedRuns) -> set[tuple[str | None, str]]:
    """Return (name of the parent, name) of every span."""
    return {edge for root in captured.as_dicts() for edge in _edges(root, None)}


def named(span: dict[str, Any]) -> str:
    """Return the name of the run that a span is of."""
    if span["attributes"].get(semconv.RUN_TYPE) == "llm":
        return "model"
    name: str = span["name"]
    for operation in _OPERATIONS:
        name = name.removeprefix(operation)
    return name


def _lines(span: dict[str, Any], indent: str) -> list[str]:
    said = named(span)
    if outcome := span["attributes"].get(semconv.RUN_OUTCOME):
        said += f" ({outcome})"
    if span["status"].startswith("ERROR"):
        said += f" ✗ {span['attributes'].get(semconv.ERROR_TYPE)}"
    lines = [indent + said]
    for name, attributes in span["events"]:
        if name != semconv.EXCEPTION:
            data = " ".join(
                f"{key.removeprefix(semconv.DATA_PREFIX)}={value!r}"
                for key, value in attributes.items()
            )
            lines.append(f"{indent}  · {name} {data}".rstrip())
    for child in span["children"]:
        lines += _lines(child, indent + "  ")
    return lines


def _edges(span: dict[str, Any], above: str | None) -> set[tuple[str | None, str]]:
    found = {(above, named(span))}
    for child in span["children"]:
        found |= _edges(child, named(span))
    return found
