"""Laws of the gate, for any data: never raises, bounded, encodable, and nothing lost unsaid."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from typing import Any

import odd_values
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_values import encoded, silent

from otelbridge import semconv
from otelbridge._attributes import Bounds, Gate
from otelbridge._flatten import NOTE_BYTES
from otelbridge._limits import Limits
from otelbridge._shapes import KEY_BYTES

NOTE = semconv.TRUNCATED


def bounds() -> st.SearchStrategy[Bounds]:
    """Make bounds, small ones mostly."""
    return st.just(Bounds()) | st.builds(
        Bounds,
        string=st.integers(1, 300),
        event=st.integers(1024, 4096),
        keys=st.integers(1, 12),
        depth=st.integers(0, 8),
    )


def limits() -> st.SearchStrategy[Limits]:
    """Make limits of the SDK, small and absent ones."""
    count = st.none() | st.integers(0, 12)
    length = st.none() | st.integers(0, 40)
    return st.just(Limits()) | st.builds(Limits, count, count, st.just(128), length, length)


def strings_of(value: Any) -> list[str]:
    """Return the strings in one attribute value."""
    return [one for one in (value if isinstance(value, tuple) else (value,)) if type(one) is str]


def size_of(value: Any) -> int:
    """Return what an attribute value takes, at least."""
    parts = value if isinstance(value, tuple) else (value,)
    return sum(len(one.encode()) if type(one) is str else 8 for one in parts)


def check_values(found: dict[str, Any], bound: Bounds, length: int | None) -> None:
    """Check that each attribute is what OTel takes and no larger than it may be."""
    for key, value in found.items():
        assert type(key) is str
        assert key
        assert len(key.encode()) <= KEY_BYTES + 8
        parts = value if type(value) is tuple else (value,)
        assert {type(one) for one in parts} <= {str, bool, int, float}
        assert len({type(one) for one in parts}) <= 1
        for one in parts:
            assert not isinstance(one, float) or math.isfinite(one)
            assert type(one) is not int or -(2**63) <= one < 2**63
        assert all(length is None or len(text) <= length for text in strings_of(value))
        if key != NOTE:
            assert size_of(value) <= max(bound.string, 8)
    total = sum(len(key.encode()) + size_of(value) for key, value in found.items() if key != NOTE)
    assert total <= bound.event - NOTE_BYTES
    assert size_of(found.get(NOTE, ())) <= NOTE_BYTES


@given(name=odd_values.leaves(), data=odd_values.data(), bound=bounds(), limit=limits())
def test_event_never_raises_is_bounded_and_is_encoded(
    name: Any, data: Any, bound: Bounds, limit: Limits
) -> None:
    """Any name and data become attributes that the SDK and the OTLP encoder take without a word."""
    gate = Gate(bound, limit)
    with silent():
        shown, found, size = gate.event(name, data)
    assert shown
    assert len(shown.encode()) <= 1024
    check_values(found, bound, limit.event_value_length)
    assert 0 < size <= bound.event + 1024
    assert len(found) <= bound.keys + 1
    assert limit.event_attributes is None or len(found) <= limit.event_attributes
    event = encoded(shown, found, limit).resource_spans[0].scope_spans[0].spans[0].events[0]
    assert event.name == shown
    assert [attribute.key for attribute in event.attributes] == list(found)


@pytest.mark.parametrize("place", range(len(odd_values.odd_values())))
def test_event_of_each_odd_value_is_encoded(place: int) -> None:
    """Each of the odd values goes through alone, in a list, in a dict, and as a key."""
    gate = Gate()
    value = odd_values.odd_values()[place]
    datas = [value, [value], [[value], 1], {"a": value, "b": [value], "c": {"d": {"e": value}}}]
    with contextlib.suppress(Exception):  # it cannot be a key
        datas.append({value: value, "x": [{value: 1}]})
    for data in datas:
        with silent():
            name, found, _ = gate.event(value, data)
            text = gate.text("k", data)
        assert found
        check_values(found, gate.bounds, None)
        encoded(name, found)
        assert len(text.encode()) <= gate.bounds.string


@given(data=odd_values.data(), bound=bounds())
def test_event_is_deterministic(data: Any, bound: Bounds) -> None:
    """The same data gives the same event."""
    gate = Gate(bound)
    assert gate.event("e", data) == gate.event("e", data)


@given(data=odd_values.data())
def test_event_of_clean_attributes_is_what_it_was(data: Any) -> None:
    """What left the gate goes through it again unchanged."""
    gate = Gate()
    found = gate.event("e", data)[1]
    clean = {key: value for key, value in found.items() if key != NOTE and len(key) < 240}
    again = gate.event("e", clean)[1]
    assert [again[f"data.{key}"] for key in clean] == list(clean.values())


def dropped(found: dict[str, Any]) -> int:
    """Return how many entries the note says have no attribute."""
    last = found.get(NOTE, ("",))[-1]
    return int(last.split()[0]) if last.endswith(" dropped") else 0


@given(
    data=st.dictionaries(odd_values.keys(), odd_values.leaves(), min_size=1, max_size=30),
    bound=bounds(),
    limit=st.none() | st.integers(1, 20),
)
def test_event_accounts_for_each_key(
    data: dict[Any, Any], bound: Bounds, limit: int | None
) -> None:
    """Each key has an attribute or is counted, also where keys meet, and cut values are named."""
    bound = Bounds(bound.string, bound.event, bound.keys, max(bound.depth, 1))
    found = Gate(bound, Limits(event_attributes=limit)).event("e", data)[1]
    there = len(found) - (NOTE in found)
    assert there + dropped(found) == len(data)


def tree() -> st.SearchStrategy[Any]:
    """Make dicts in dicts whose leaves are numbers."""
    key = st.text("ab.#2", max_size=3)
    return st.recursive(
        st.integers(0, 9), lambda inner: st.dictionaries(key, inner, min_size=1, max_size=4)
    )


@given(data=tree())
def test_event_keeps_each_leaf_of_a_tree(data: Any) -> None:
    """Within the bounds each leaf of nested mappings is there, keys that meet included."""

    def leaves(value: Any) -> list[int]:
        if isinstance(value, dict):
            return list(itertools.chain.from_iterable(map(leaves, value.values())))
        return [value]

    found = Gate(Bounds(depth=50)).event("e", data)[1]
    if len(leaves(data)) <= 100:
        assert list(found.values()) == leaves(data)


def json_data() -> st.SearchStrategy[Any]:
    """Make what JSON can hold."""
    leaf = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1)
    real = st.floats(allow_nan=False, allow_infinity=False)
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
    key = text.filter(bool)
    return st.recursive(
        leaf | real | text,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(key, inner, max_size=5),
    )


@given(data=json_data())
def test_content_of_json_data_is_that_data(data: Any) -> None:
    """JSON data that fits is told whole, on the short way and on the long one."""
    text = Gate().text("k", [data])
    assert json.loads(text) == [data]
    assert Gate(redact=lambda key, value: value).text("k", [data]) == text


@given(data=odd_values.data(), room=st.integers(5, 400))
def test_content_is_always_valid_json(data: Any, room: int) -> None:
    """Whatever is cut, the JSON text parses, without NaN and without lone surrogates."""

    def refuse(word: str) -> Any:
        raise AssertionError(word)

    text = Gate(Bounds(string=room)).text("k", [data])
    assert len(text.encode()) <= room
    json.loads(text, parse_constant=refuse)


@given(
    tags=st.lists(odd_values.leaves(), max_size=20),
    metadata=st.dictionaries(odd_values.keys(), odd_values.data(10), max_size=8),
    configurable=st.dictionaries(
        st.sampled_from(["session_id", "thread_id", "user_id", "other"]), odd_values.leaves()
    ),
    bound=bounds(),
    limit=limits(),
)
def test_start_never_raises_is_bounded_and_keeps_what_is_own(
    tags: list[Any],
    metadata: dict[Any, Any],
    configurable: dict[str, Any],
    bound: Bounds,
    limit: Limits,
) -> None:
    """Whatever users add, a span starts with the run's own attributes and within the limits."""
    own = {semconv.RUN_ID: "id", semconv.RUN_TYPE: "tool"}
    gate = Gate(bound, limit)
    with silent():
        found = gate.start(own, tags, metadata, configurable)
    count = limit.span_attributes
    assert list(found)[:2] == list(own)[: 2 if count is None else count]
    assert count is None or len(found) <= count
    check_values(
        {key: value for key, value in found.items() if key not in own},
        bound,
        limit.span_value_length,
    )
    assert "other" not in "".join(found)
    encoded("run", {}, limit, start=found)


SECRET = "swordfish"


def secrets() -> st.SearchStrategy[Any]:
    """Make nested data in which the secret stands in many places."""
    leaf = st.sampled_from(
        [
            SECRET,
            f"a {SECRET} b",
            SECRET * 3,
            SECRET.encode(),
            ValueError(SECRET),
            1,
            None,
            "x" * 99,
        ]
    ) | st.builds(odd_values.Text, st.just(SECRET))
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=5),
            st.dictionaries(st.sampled_from(["a", "b", "c.d", ""]), inner, max_size=4),
            st.builds(odd_values.Order, inner, inner),
            st.builds(odd_values.Point, st.just(1), inner),
            st.lists(inner, max_size=3).map(odd_values.Row),
        ),
        max_leaves=20,
    )


def hide(key: str, value: Any) -> Any:
    """Redact as a user may: by the text."""
    return value.replace(SECRET, "[hidden]") if isinstance(value, str) else value


@given(data=secrets(), bound=bounds(), limit=limits())
def test_redaction_covers_each_leaf(data: Any, bound: Bounds, limit: Limits) -> None:
    """What the redactor takes out is in no event, no metadata, no tag, no content and no text."""
    gate = Gate(bound, limit, redact=hide)
    told = [
        gate.event("e", data),
        gate.start({}, [data], {"m": data, "session_id": data}, {"user_id": data}),
        gate.text("k", data),
        gate.text("k", data),
        gate.exception(ValueError(data)),
    ]
    assert SECRET not in repr(told)


@given(
    data=secrets().map(
        lambda value: {"a": {"Pass.Word": value}, "b": [{"PASS.word": value}], "c": 1}
    ),
    bound=bounds(),
)
def test_redaction_covers_what_is_below_a_denied_key(data: Any, bound: Bounds) -> None:
    """Nothing below a denied key leaves, whatever its shape and wherever the key stands."""
    gate = Gate(bound, denied_keys={"pass.word"})
    told = [gate.event("e", data), gate.start({}, [], data), gate.text("k", data)]
    assert SECRET not in repr(told)
