"""The library's own variables: one that is misspelt is told of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import otelbridge
from otelbridge.export import variables
from otelbridge.export.variables import KNOWN, warn_of_unknown

SOURCES = Path(otelbridge.__file__).parent.rglob("*.py")


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is the first in its process."""
    monkeypatch.setattr(variables, "_told", set())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("OTELBRIDGE_MAX_STRNG_BYTES", "did you mean OTELBRIDGE_MAX_STRING_BYTES?"),
        ("OTELBRIDGE_DENIEDKEYS", "did you mean OTELBRIDGE_DENIED_KEYS?"),
        ("otelbridge_max_depth", "did you mean OTELBRIDGE_MAX_DEPTH?"),
        ("OTELBRIDGE_COLOUR", "known are OTELBRIDGE_CONFIGURABLE_KEYS, "),
    ],
)
def test_misspelt_variable_is_told_once(
    name: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning names the nearest one, and not the value, which may be a secret."""
    for _ in range(2):
        warn_of_unknown({name: "secret", "OTEL_SERVICE_NAME": "mine"})
    (record,) = caplog.records
    assert f"no variable {name} " in record.getMessage()
    assert said in record.getMessage()
    assert "secret" not in record.getMessage()


def test_known_variables_are_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """Nor are those of others."""
    warn_of_unknown({**dict.fromkeys(KNOWN, "1"), "OTEL_SDK_DISABLED": "true", "HOME": "/"})
    assert caplog.records == []


def test_every_variable_of_the_sources_is_known() -> None:
    """What the library reads, it knows; and it knows nothing that it does not read."""
    read: set[str] = set()
    for path in SOURCES:
        if path.name != "variables.py":
            read |= set(re.findall(r'"(OTELBRIDGE_\w*[A-Z])"', path.read_text("utf-8")))
    assert read == set(KNOWN)


def test_configure_tells_of_misspelt_variables(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At set-up, before anything that may be refused."""
    monkeypatch.setenv("OTELBRIDGE_MAX_DEPHT", "3")
    with pytest.raises(otelbridge.ConfigurationError):
        otelbridge.configure(endpoint="nonsense://x")
    assert "did you mean OTELBRIDGE_MAX_DEPTH?" in caplog.text
