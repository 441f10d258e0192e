"""The gate's own bounds: as arguments and as variables."""

from __future__ import annotations

from typing import Any

import pytest

from otelbridge._attributes import Bounds
from otelbridge.errors import ConfigurationError


def test_bounds_have_the_documented_defaults() -> None:
    """Without settings: 8 KiB a value, 64 KiB an event, 100 keys, 6 levels."""
    assert Bounds() == Bounds(string=8192, event=65536, keys=100, depth=6)
    assert Bounds.from_env({}) == Bounds()


def test_bounds_are_read_from_the_environment() -> None:
    """Each bound has its variable; an empty one counts as absent."""
    environ = {
        "OTELBRIDGE_MAX_STRING_BYTES": "10",
        "OTELBRIDGE_MAX_EVENT_BYTES": " 2048 ",
        "OTELBRIDGE_MAX_EVENT_KEYS": "",
        "OTELBRIDGE_MAX_DEPTH": "0",
    }
    assert Bounds.from_env(environ) == Bounds(string=10, event=2048, keys=100, depth=0)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "²", "9" * 16, "0x10"])
def test_bounds_refuse_a_bad_variable_with_its_cure(value: str) -> None:
    """A variable that cannot be used is named, with its value and what to do."""
    with pytest.raises(
        ConfigurationError, match=r"OTELBRIDGE_MAX_STRING_BYTES=.*whole number >= 1"
    ):
        Bounds.from_env({"OTELBRIDGE_MAX_STRING_BYTES": value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("string", 0), ("event", 1023), ("keys", 0), ("depth", -1), ("keys", True), ("keys", "5")],
)
def test_bounds_refuse_a_bad_argument(field: str, value: Any) -> None:
    """An argument that cannot work raises at set-up."""
    with pytest.raises(ConfigurationError, match=rf"Bounds\({field}="):
        Bounds(**{field: value})
