"""The SDK's span limits, found on a provider, in the environment, or by default."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider

from otelbridge._limits import Limits, limits_of

VARIABLES = {
    "OTEL_ATTRIBUTE_COUNT_LIMIT": "40",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "50",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "60",
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "70",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "80",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "90",
}


def test_limits_without_settings_are_the_standard_defaults() -> None:
    """A provider that tells nothing, in an empty environment, has the specification's limits."""
    assert limits_of(NoOpTracerProvider(), {}) == Limits(128, 128, 128, None, None)
    assert limits_of(None, {}) == Limits()


def test_limits_are_read_from_the_provider() -> None:
    """The limits that a provider was made with are found, zero and unlimited ones too."""
    provider = TracerProvider(
        span_limits=SpanLimits(
            max_span_attributes=7,
            max_event_attributes=0,
            max_events=SpanLimits.UNSET,
            max_attribute_length=11,
            max_span_attribute_length=12,
        )
    )
    assert limits_of(provider, VARIABLES) == Limits(7, 0, None, 12, 11)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        VARIABLES,
        dict.fromkeys(VARIABLES, "0"),
        dict.fromkeys(VARIABLES, " "),
        {"OTEL_ATTRIBUTE_COUNT_LIMIT": "3"},
        {"OTEL_ATTRIBUTE_COUNT_LIMIT": ""},
        {"OTEL_ATTRIBUTE_COUNT_LIMIT": "5", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": ""},
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9"},
        {
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9",
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "",
        },
    ],
)
def test_limits_from_the_environment_are_those_of_the_sdk(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables alone give what the SDK itself makes of them."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert limits_of(ProxyTracerProvider()) == limits_of(TracerProvider(), {})


@pytest.mark.parametrize("value", ["unset", "many", "-1", "1.5", "9" * 5000])
def test_limits_keep_their_default_where_a_variable_is_bad(value: str) -> None:
    """A variable that the SDK would refuse counts as absent."""
    assert limits_of(None, dict.fromkeys(VARIABLES, value)) == Limits()


def test_limits_fall_back_field_by_field() -> None:
    """A field that is missing or odd on the provider comes from the environment."""

    class Odd:
        class _span_limits:
            max_span_attributes = True
            max_event_attributes = -5
            max_events = "many"
            max_attribute_length = 4

    assert limits_of(Odd(), VARIABLES) == Limits(50, 60, 70, 90, 4)


def test_limits_never_raise() -> None:
    """A provider or an environment that raises leaves the defaults."""

    class Raising:
        @property
        def _span_limits(self) -> object:
            raise RuntimeError("no")

    class Partly:
        class _span_limits:
            max_events = 3

            def __getattribute__(self, name: str) -> object:
                raise ValueError(name)

        _span_limits = _span_limits()  # type: ignore[assignment]

    class Environ(dict[str, str]):
        def get(self, *_: object) -> str:  # type: ignore[override]
            raise OSError

    assert limits_of(Raising(), {}) == Limits()
    assert limits_of(Partly(), {}) == Limits()
    assert limits_of(Raising(), Environ()) == Limits()
