"""Records as ``--json`` prints them.

Times are decimal strings of ns, in fields that end in ``_ns``, because many readers of JSON round
large numbers. What JSON does not hold is an object with one key: ``{"bytes": base64}``,
``{"float": "NaN"}``. The viewer's API has the same.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def as_json(found: Any) -> Any:
    """Return records, and lists and mappings of them, as values that JSON has."""
    if is_dataclass(found) and not isinstance(found, type):
        return _members({field.name: getattr(found, field.name) for field in fields(found)})
    if isinstance(found, Mapping):
        return _members(found)
    if isinstance(found, (list, tuple)):
        return [as_json(item) for item in found]
    if isinstance(found, bytes):
        return {"bytes": b64encode(found).decode()}
    if isinstance(found, float) and not math.isfinite(found):
        return {"float": "NaN" if math.isnan(found) else "Infinity" if found > 0 else "-Infinity"}
    return found


def _members(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: str(value) if name.endswith("_ns") and type(value) is int else as_json(value)
        for name, value in found.items()
    }
