"""What arguments a function declares, and which of them wants the config."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from otelbridge import RunnableConfig
from otelbridge._arguments import Arguments, arguments_of


def many(a: Any, /, b: Any, c: Any = 1, *rest: Any, d: Any, e: Any = 2, **more: Any) -> None: ...
def named(x: Any, config: Any) -> None: ...
def annotated(x: Any, settings: RunnableConfig) -> None: ...
def optional(x: Any, settings: RunnableConfig | None = None) -> None: ...
def by_keyword(x: Any, *, settings: RunnableConfig) -> None: ...
def first(settings: RunnableConfig) -> None: ...
def positional_only(x: Any, config: Any, /) -> None: ...
def surplus(x: Any, *config: RunnableConfig) -> None: ...


class Thing:
    def method(self, x: Any, config: Any = None) -> None: ...

    def __call__(self, x: Any) -> None: ...


def test_arguments_are_read_by_kind() -> None:
    """In their order; without self for a bound method."""
    assert arguments_of(many) == Arguments(("a", "b", "c"), ("d", "e"), True, True, None, 2)
    assert arguments_of(Thing().method) == Arguments(
        ("x", "config"), config_name="config", required=1
    )
    assert arguments_of(Thing.method).positional == ("self", "x", "config")
    assert arguments_of(Thing()) == Arguments(("x",), required=1)
    assert "d" in arguments_of(many)
    assert "rest" not in arguments_of(many)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (named, "config"),
        (annotated, "settings"),
        (optional, "settings"),
        (by_keyword, "settings"),
        (first, None),
        (positional_only, None),
        (surplus, None),
        (many, None),
    ],
)
def test_config_parameter_is_found(function: Any, name: str | None) -> None:
    """By name, or by annotation where it is not the input itself."""
    assert arguments_of(function).config_name == name


def test_annotation_may_be_the_type_itself() -> None:
    """Not only its text."""

    def body(x: Any, settings: Any) -> None: ...

    body.__annotations__["settings"] = RunnableConfig
    assert arguments_of(body).config_name == "settings"
    body_of_union = functools.partial(body)
    body.__annotations__["settings"] = RunnableConfig | None
    assert arguments_of(body_of_union).config_name == "settings"


def test_what_has_no_signature_takes_anything() -> None:
    """A builtin without one is called with all there is."""

    class Odd:
        __signature__ = 5

        def __call__(self) -> None: ...

    assert arguments_of(Odd()) == Arguments(var_positional=True)
    assert arguments_of(dict.fromkeys).var_positional in (True, False)


def test_what_has_no_hash_is_read_each_time() -> None:
    """It cannot be remembered."""

    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, x: Any) -> None: ...

    assert arguments_of(Unhashable()) == Arguments(("x",), required=1)
