"""The gate: any value in, bounded OTel attributes out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tracemalloc
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import odd_values
import pytest
from odd_values import encoded, hostile

from otelbridge import _attributes, semconv
from otelbridge._attributes import Bounds, Gate
from otelbridge._limits import Limits

NOTE = semconv.TRUNCATED


def attributes(data: Any, gate: Gate | None = None) -> dict[str, Any]:
    """Return what an event with this data carries, after it went through the OTLP encoder."""
    gate = gate or Gate()
    name, found, size = gate.event("event", data)
    assert 0 < size <= gate.bounds.event
    encoded(name, found, gate.limits)
    return dict(found)


# ---------------------------------------------------------------- the guide and the plain cases


def test_event_of_the_guide_has_its_attributes() -> None:
    """The guide's two events give the attributes that the guide's summary names."""
    gate = Gate()
    assert gate.event("event1", {"reversed": "dlrow olleh"})[:2] == (
        "event1",
        {"data.reversed": "dlrow olleh"},
    )
    assert gate.event("event2", 5)[:2] == ("event2", {"data": 5})


@pytest.mark.parametrize(
    "data",
    [
        {"i": 1},
        {"text": "x", "yes": True, "real": 0.5},
        5,
        "text",
        1.5,
        False,
        {str(number): number for number in range(16)},
        {str(number): number for number in range(17)},
        {"a": float("nan")},
        {"a": 2**63},
        {"a": "é"},
        {"a": "x" * 257},
        {"a" * 65: 1},
        {"é": 1},
        {"a": odd_values.Level.HIGH},
        {},
    ],
)
def test_event_is_the_same_on_the_short_and_the_long_way(data: Any) -> None:
    """Small flat data gives the same attributes with and without the short way."""
    short, long = Gate(), Gate()
    long._fast = False
    assert short.event("e", data)[:2] == long.event("e", data)[:2]
    assert abs(short.event("e", data)[2] - long.event("e", data)[2]) <= 256


def test_event_remembers_a_bounded_number_of_keys() -> None:
    """Keys that need no cleaning are remembered, and forgotten again when they are many."""
    gate = Gate()
    for number in range(2500):
        assert gate.event("e", {f"k{number}": 1})[1] == {f"data.k{number}": 1}
    assert 0 < len(_attributes._data_keys) <= 1000
    assert gate.event("e", {odd_values.Text("k2499"): 1})[1] == {"data.k2499": 1}


def test_event_takes_nested_data_apart() -> None:
    """Nested mappings become dotted keys, lists of one kind stay lists, the rest is JSON."""
    data = {
        "user": {"id": 7, "name": {"first": "Ada"}},
        "tags": ["a", "b"],
        "sizes": (1, 2),
        "rates": [0.5, 1.0],
        "flags": [True, False],
        "mixed": [1, "a", None, 1.5, True],
        "rows": [{"a": 1}, {"a": [2]}],
        "nothing": None,
        "empty": {},
        "none": [],
    }
    assert attributes(data) == {
        "data.user.id": 7,
        "data.user.name.first": "Ada",
        "data.tags": ("a", "b"),
        "data.sizes": (1, 2),
        "data.rates": (0.5, 1.0),
        "data.flags": (True, False),
        "data.mixed": '[1,"a",null,1.5,true]',
        "data.rows": '[{"a":1},{"a":[2]}]',
        "data.nothing": "null",
        "data.empty": "{}",
        "data.none": (),
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "null"),
        ({}, "{}"),
        ([], ()),
        (True, True),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        (-(2**63), -(2**63)),
        (-(2**63) - 1, "-9223372036854775809"),
        ([1, 2**63], '[1,"9223372036854775808"]'),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        ([1.0, float("nan")], '[1.0,"NaN"]'),
        ([1, True], "[1,true]"),
        ([True, True], (True, True)),
        ([1, 2.0], "[1,2.0]"),
        ([None, None], "[null,null]"),
        ("a\udc80b", "a\\udc80b"),
        (["\udc80"], ("\\udc80",)),
        ([["\udc80\n"]], '[["\\\\udc80\\n"]]'),
        (b"text", "text"),
        (b"\xff\x00t", "\\xff\x00t"),
        ({3, 1, 2}, (1, 2, 3)),
        ({2, "b", 1, "a"}, '[1,2,"a","b"]'),
        (range(3), (0, 1, 2)),
        (np.float32(0.5), 0.5),
        (np.arange(3), (0, 1, 2)),
        (np.eye(2), "[[1.0,0.0],[0.0,1.0]]"),
        (np.array(7), 7),
        (np.datetime64("2024-01-01"), "2024-01-01"),
        (ValueError("bad"), "ValueError: bad"),
        (odd_values.Colour.RED, "Colour.RED"),
        (odd_values.Level.HIGH, "high"),
        (odd_values.Size.BIG, 3),
        (odd_values.Plain(), "<odd_values.Plain>"),
        (odd_values.OddText(), "<odd_values.OddText>"),
        (odd_values.Liar(), "liar"),
        (odd_values.Table(broken=True), "<odd_values.Table>"),
        ([odd_values.Table(broken=True), 1, [2]], '["<odd_values.Table>",1,[2]]'),
        ([hostile(), 1], '["<odd_values.Hostile>",1]'),
    ],
)
def test_event_of_one_value_has_it_in_one_attribute(data: Any, expected: Any) -> None:
    """Data that is no mapping becomes the one attribute ``data``, by the rules of its type."""
    found = attributes(data)
    assert found == {"data": expected}
    assert type(found["data"]) is type(expected)


def test_event_of_hostile_objects_names_their_class() -> None:
    """An object none of whose methods works is named by its class, as far as that can be read."""
    gate = Gate()
    assert attributes(hostile()) == {"data": "<odd_values.Hostile>"}
    assert attributes(odd_values.OfHostileType()) == {"data": "<object>"}
    assert attributes([hostile()]) == {"data": ("<odd_values.Hostile>",)}
    assert gate.name(hostile()) == "<odd_values.Hostile>"
    assert gate.event(hostile(), 1)[0] == "<odd_values.Hostile>"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (odd_values.Point(1, {"z": 2}), {"data.x": 1, "data.y.z": 2}),
        (odd_values.Order(1, [2]), {"data.id": 1, "data.items": (2,), "data.secret": "[hidden]"}),
        (
            odd_values.Model(name="m", more=1),
            {"data.name": "m", "data.hidden": "[hidden]", "data.more": 1},
        ),
        (odd_values.Table(), {"data.good": "GOOD", "data.bad": "[unreadable]"}),
        (odd_values.Dict(a=1), {"data.a": 1}),
        ({"a": odd_values.Point("x", 1)}, {"data.a.x": "x", "data.a.y": 1}),
    ],
)  # fmt: skip
def test_event_takes_what_has_fields_apart(data: Any, expected: dict[str, Any]) -> None:
    """Named tuples, dataclasses, models and mappings of the user's spread like dicts."""
    assert attributes(data) == expected


def test_event_of_an_exception_with_large_arguments_is_bounded() -> None:
    """An exception whose text would be without bounds is told by its type and arguments."""
    assert attributes(ValueError([1, 2])) == {"data": "ValueError: [1, 2]"}
    found = attributes({"error": ValueError(odd_values.laughs(), 5)})
    assert found["data.error.type"] == "ValueError"
    assert len(found["data.error.args"]) <= 8192
    assert attributes(ValueError(KeyError(b"x" * 9000)))["data.type"] == "ValueError"


def test_event_reads_attrs_classes_and_odd_fields() -> None:
    """An attrs class spreads by its attributes; a field that cannot be read says so."""

    class Field:
        def __init__(self, name: str, repr: bool = True) -> None:
            self.name, self.repr = name, repr

    class Attrs:
        __attrs_attrs__ = (Field("a"), Field("gone"), Field("secret", repr=False))
        a = 1
        secret = "hush"

    assert attributes(Attrs()) == {
        "data.a": 1,
        "data.gone": "[unreadable]",
        "data.secret": "[hidden]",
    }


def test_event_reads_models_of_an_older_pydantic() -> None:
    """A model whose fields stand in ``model_fields`` alone spreads too."""

    class Field:
        repr = True
        exclude = None

    class Older:
        __pydantic_core_schema__ = None
        model_fields = types.MappingProxyType({"a": Field()})
        a = 1

    assert attributes(Older()) == {"data.a": 1}


def test_event_works_without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects are read as well where numpy is not loaded."""
    monkeypatch.delitem(__import__("sys").modules, "numpy")
    assert attributes(odd_values.Plain()) == {"data": "<odd_values.Plain>"}


def test_event_never_consumes_an_iterator() -> None:
    """Generators, iterators and coroutines are named, not run."""
    iterator = iter([1, 2])
    coroutine = odd_values.coroutine_function()
    try:
        for value in (odd_values.generator(), iterator, coroutine, map(str, [1]), zip([1])):
            assert isinstance(attributes(value)["data"], str)
            assert isinstance(attributes([value])["data"], tuple)
    finally:
        coroutine.close()
    assert list(iterator) == [1, 2]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: value,
        lambda value: [value],
        lambda value: {"a": [[value]]},
        lambda value: {"a": {"b": value}},
    ],
)
def test_event_lets_interrupts_through(
    error: type[BaseException], wrap: Callable[[Any], Any]
) -> None:
    """What is no ``Exception`` is not the gate's to swallow."""
    with pytest.raises(error):
        Gate().event("e", wrap(hostile(error)))


# ---------------------------------------------------------------- keys


def test_event_keys_are_text_and_never_empty() -> None:
    """Keys of any kind get a name; an empty one too."""
    data = {"": 1, None: 2, True: 3, 1.5: 4, (1, "a"): 5, b"k": 6, "\udc80": 7, hostile: 8}
    found = attributes(data)
    assert list(found)[:-1] == [
        "data.(empty)",
        "data.null",
        "data.true",
        "data.1.5",
        'data.[1,"a"]',
        "data.k",
        "data.\\udc80",
    ]
    assert list(found.values()) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_event_keys_that_meet_are_numbered_in_order() -> None:
    """Of keys that flatten to one, the first keeps the name and nothing is lost."""
    assert attributes({"a.b": 1, "a": {"b": 2}, "a.b#2": 3}) == {
        "data.a.b": 1,
        "data.a.b#2": 2,
        "data.a.b#2#2": 3,
    }
    assert attributes({1: "x", "1": "y", b"1": "z"}) == {
        "data.1": "x",
        "data.1#2": "y",
        "data.1#3": "z",
    }
    nested = attributes([{"1": "x", 1: "y", "1#2": "z", "s": hostile()}])["data"]
    assert json.loads(nested)[0] == {
        "1": "x",
        "1#2": "y",
        "1#2#2": "z",
        "s": "<odd_values.Hostile>",
    }
    assert attributes({"a.b": 1, "a": {"b": 2, "c": 3}, "a.b.c": 4}) == {
        "data.a.b": 1,
        "data.a.b#2": 2,
        "data.a.c": 3,
        "data.a.b.c": 4,
    }


def test_event_keys_are_cut_and_named() -> None:
    """A long key is cut, says so, and stays apart from its like."""
    found = attributes({"k" * 300: 1, "k" * 301: 2, "x" * 10**6: 3})
    keys = [key for key in found if key != NOTE]
    assert [len(key.encode()) for key in keys] == [256, 258, 256]
    assert keys[0].endswith("…")
    assert list(found.values())[:3] == [1, 2, 3]
    assert found[NOTE] == ("data." + "k" * 248 + "…", "+2 cut")
    inner = attributes([{"k" * 300: 1, "k" * 301: 2}])
    assert json.loads(inner["data"]) == [{"k" * 253 + "…": 1, "k" * 253 + "…#2": 2}]
    assert inner[NOTE] == ("data",)


# ---------------------------------------------------------------- bounds


def test_event_of_many_keys_keeps_the_first_and_counts_the_rest() -> None:
    """Of 10,000 keys the first hundred stay, and the note says how many are gone."""
    found = attributes({f"k{number}": number for number in range(10_000)})
    assert list(found) == [f"data.k{number}" for number in range(100)] + [NOTE]
    assert found[NOTE] == ("+9900 dropped",)


def test_event_counts_what_is_dropped_at_each_level() -> None:
    """An entry without an attribute counts one, at whatever level it stands."""
    gate = Gate(Bounds(keys=3))
    found = attributes({"a": {"b": 1, "c": {"d": 2, "e": 3, "f": 4}, "g": 5}, "h": 6}, gate)
    assert list(found) == ["data.a.b", "data.a.c.d", "data.a.c.e", NOTE]
    assert found[NOTE] == ("+3 dropped",)


def test_event_strings_are_cut_at_a_character() -> None:
    """A long string ends in an ellipsis, within the bound, and is named."""
    found = attributes({"a": "é" * 10_000, "b": "x" * 8192, "c": "x" * 8193, "d": "\udc80" * 4000})
    assert len(found["data.a"].encode()) in (8191, 8192)
    assert found["data.a"].endswith("é…")
    assert found["data.b"] == "x" * 8192
    assert found["data.c"] == "x" * 8189 + "…"
    assert len(found["data.d"]) <= 8192
    assert found[NOTE] == ("data.a", "data.c", "data.d")
    assert attributes("é" * 5000) == {"data": "é" * 4094 + "…", NOTE: ("data",)}


@pytest.mark.parametrize("bound", [1, 2, 3, 4, 5, 10])
def test_event_strings_keep_the_smallest_bounds(bound: int) -> None:
    """A bound that leaves no room for an ellipsis is kept too."""
    gate = Gate(Bounds(string=bound))
    for value in ("é" * 20, "x" * 20, "😀" * 20, [["deep", "list"]], {"a": [{"b": 1000}]}):
        found = attributes(value, gate)
        assert found[NOTE]
        for key, text in found.items():
            assert key == NOTE or len(text.encode()) <= bound


def test_event_lists_are_cut_as_a_whole() -> None:
    """A list takes no more room than a string may."""
    found = attributes({"n": list(range(5000)), "s": ["word"] * 5000, "l": ["x" * 9000, "y"]})
    assert found["data.n"] == tuple(range(1024))
    assert set(found["data.s"]) == {"word"}
    assert 1000 < len(found["data.s"]) < 2048
    assert found["data.l"] == ("x" * 8189 + "…",)
    assert found[NOTE] == ("data.n", "data.s", "data.l")
    found = attributes({"l": ["x" * 4000, "y"]}, Gate(Bounds(event=2048)))
    assert found["data.l"][0].endswith("x…")
    assert found[NOTE] == ("data.l",)


def test_event_json_says_what_is_missing() -> None:
    """A JSON text that had to stop is closed, valid, and counts the rest."""
    found = attributes({"rows": [{"number": number} for number in range(5000)]})
    rows = json.loads(found["data.rows"])
    assert rows[0] == {"number": 0}
    assert rows[-1] == f"… {5000 - len(rows) + 1} more"
    assert len(found["data.rows"]) > 8192 - 100
    wide = json.loads(attributes([{f"key{number}": number for number in range(5000)}])["data"])[0]
    assert list(wide)[-1] == f"… {5000 - len(wide) + 1} more"
    assert found[NOTE] == ("data.rows",)


def test_event_json_is_valid_when_numbers_and_labels_do_not_fit() -> None:
    """Entries that would not fit are left out whole, at every size of the room."""
    value = [{"a\n": 2**60, "b": [1.2345678901234567, "\n\n\n\n\n\n", hostile()]}] * 6
    for bound in range(80, 330):
        text = Gate(Bounds(string=bound)).text("k", value)
        assert len(text.encode()) <= bound
        json.loads(text)


def test_event_depth_is_bounded() -> None:
    """Past the depth bound mappings become JSON, and past JSON's own an ellipsis."""
    data = odd_values.deep(8, dict)
    assert attributes(data) == {"data" + ".down" * 6: '{"down":{"down":"bottom"}}'}
    assert attributes(data, Gate(Bounds(depth=1))) == {
        "data.down": '{"down":' * 7 + '"bottom"' + "}" * 7
    }
    assert list(attributes(data, Gate(Bounds(depth=0)))) == ["data"]
    for kind in (dict, list):
        found = attributes(odd_values.deep(100_000, kind))
        assert "…" in str(found)
        assert NOTE in found


def test_event_of_a_cycle_ends() -> None:
    """What holds itself says so where it would begin again."""
    knot: dict[str, Any] = {"n": 1}
    knot["self"] = knot
    knot["list"] = [knot]
    assert attributes(knot) == {
        "data.n": 1,
        "data.self": "[cycle]",
        "data.list": '["[cycle]"]',
    }
    assert attributes(odd_values.cycle()) == {
        "data": '["[cycle]",{"ring":"[cycle]","self":"[cycle]"}]'
    }


def test_event_of_many_paths_to_few_objects_is_bounded() -> None:
    """Ten lists in ten lists, thirty times over, cost what the bounds say."""
    assert len(attributes(odd_values.laughs())["data"]) <= 8192
    dag: Any = {"x": "y" * 100}
    for _ in range(30):
        dag = {str(number): dag for number in range(10)}
    assert len(attributes(dag)) <= 101
    assert len(attributes(dag, Gate(Bounds(event=1024)))) < 10


def test_event_leaves_room_for_small_values_behind_large_ones() -> None:
    """What comes after a row of large values still has its place."""
    data = {f"big{number}": "x" * 9000 for number in range(9)} | {"id": 7, "name": "n"}
    found = attributes(data)
    assert (found["data.id"], found["data.name"]) == (7, "n")
    assert sum(len(str(value)) for value in found.values()) < 64 * 1024


def test_event_that_is_full_drops_and_counts() -> None:
    """When the event's bytes are used up, the rest is counted."""
    found = attributes({f"k{number}": "x" * 9000 for number in range(60)}, Gate(Bounds(event=2048)))
    kept = [key for key in found if key != NOTE]
    assert found[NOTE][-1] == f"+{60 - len(kept)} dropped"
    assert kept


def test_event_note_is_bounded() -> None:
    """The note names sixteen keys at most and counts the others."""
    found = attributes({f"k{number}": "x" * 99 for number in range(50)}, Gate(Bounds(string=9)))
    assert found[NOTE] == (*(f"data.k{number}" for number in range(16)), "+34 cut")


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 5])
def test_event_keeps_the_limit_of_the_sdk(limit: int) -> None:
    """The SDK's own limit is kept, the note within it, so that the SDK evicts and says nothing."""
    gate = Gate(limits=Limits(event_attributes=limit))
    found = attributes({"a": 1, "b": "x" * 9000, "c": 3, "d": 4}, gate)
    assert len(found) == (min(limit, 5))
    if 0 < limit < 5:
        gone = 4 - (limit - 1)
        cut = ("data.b",) if limit > 2 else ()
        assert found[NOTE] == (*cut, f"+{gone} dropped")
    assert attributes({"a": 1}, gate) == ({"data.a": 1} if limit else {})
    assert attributes(5, gate) == ({"data": 5} if limit else {})


@pytest.mark.parametrize("length", [0, 1, 2, 3, 10, 100, 300])
def test_event_keeps_the_length_limit_of_the_sdk(length: int) -> None:
    """No string is longer than the SDK allows, in lists and in the note neither."""
    gate = Gate(limits=Limits(event_value_length=length))
    data = {"a": "é" * 500, "b": ["x" * 500, "y" * 500], "c": [["z" * 500]], "d": b"\xff" * 500}
    data |= {"e": "\udc80" * 500}
    found = attributes(data, gate)
    strings = [
        text for value in found.values() for text in ((value,) if isinstance(value, str) else value)
    ]
    assert max(map(len, strings)) <= length
    assert len(found["data.b"]) == 2


def test_event_without_limits_of_the_sdk_keeps_its_own() -> None:
    """Unlimited in the SDK is not unlimited here."""
    gate = Gate(limits=Limits(None, None, None))
    assert len(attributes(dict.fromkeys(map(str, range(200)), 1), gate)) == 101


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * 100_000_000,
        lambda: {"a": "é" * 50_000_000},
        lambda: [b"x" * 100_000_000],
        lambda: bytearray(100_000_000),
        lambda: odd_values.Text("x" * 100_000_000),
        lambda: ["x" * 1000] * 12_000_000,
        lambda: {"rows": [{"a": 1}] * 12_000_000},
        lambda: np.zeros(12_000_000),
        lambda: np.zeros((3, 4_000_000)),
        lambda: {"n": 1 << 800_000_000},
        lambda: {"k" * 100_000_000: 1},
        lambda: set(range(1_000_000)),
        lambda: dict.fromkeys(range(1_000_000)),
    ],
)
def test_event_of_huge_data_is_cut_without_copies(make: Callable[[], Any]) -> None:
    """100 MB go through in the memory that the bounds ask for."""
    data = make()
    gate = Gate()
    gate.event("warm", {"a": [{"b": hostile()}]})
    tracemalloc.start()
    try:
        _, found, _ = gate.event("e", data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert NOTE in found
    # One copy is made of a key, since it has to be joined to the keys above it, and of 1 MiB of
    # bytes and string subclasses.
    assert peak < 8 * 1024 * 1024
    encoded("e", found)


def test_event_reads_no_more_than_fits() -> None:
    """Of a long list of objects only as many are asked for their text as have room."""
    asked = []

    class Chatty:
        def __str__(self) -> str:
            asked.append(1)
            return "chat" * 100

    Gate().event("e", [Chatty() for _ in range(100_000)])
    assert len(asked) < 50
    asked.clear()
    Gate().event("e", [[Chatty()] for _ in range(100_000)])
    assert len(asked) < 50


def test_event_reads_a_bounded_part_of_foreign_containers() -> None:
    """A container of the user's is asked for a thousand entries at most, and says so."""
    asked = []

    class Rows(odd_values.Row):
        def __len__(self) -> int:
            raise TypeError

        def __getitem__(self, place: Any) -> Any:
            asked.append(place)
            return 1

    found = attributes(Rows())
    assert len(asked) <= 1001
    assert found["data"] == (1,) * 1000
    assert found[NOTE] == ("data",)


def test_event_survives_a_stack_without_room() -> None:
    """Close to the recursion limit the event keeps its name, and nothing is raised."""
    gate = Gate()
    data = {"a": [{"b": [hostile(), odd_values.Order(1)]}], "c": {"d": {"e": [[[]]]}}}

    def descend() -> list[tuple[str, dict[str, Any], int]]:
        try:
            found = descend()
        except RecursionError:
            found = []
        with contextlib.suppress(RecursionError):  # no room for the call itself
            found.append(gate.event("event", data))
        return found

    found = descend()
    assert found[-1][1] == gate.event("event", data)[1]
    for name, attributes_, _ in found[:100]:
        encoded(name, attributes_)


def test_event_survives_data_that_changes_meanwhile() -> None:
    """Data that changes while it is read gives what could be read."""

    class Growing:
        def __str__(self) -> str:
            data[f"n{len(data)}"] = 1
            return "grown"

    data: dict[str, Any] = {}
    data |= {"a": Growing(), "b": Growing()}
    assert attributes(data) == {"data.a": "grown", "data.b": "grown"}
    assert json.loads(attributes([data])["data"])[0]["b"] == "grown"


def test_short_way_gives_up_on_a_dict_that_changes() -> None:
    """A dict that another thread changes meanwhile is left to the long way, which snapshots."""

    class Changing:
        def __len__(self) -> int:
            return 1

        def items(self) -> Any:
            raise RuntimeError("dictionary changed size during iteration")

    assert _attributes._flat(_attributes._data_keys, Changing(), {}) == 0  # type: ignore[arg-type]


# ---------------------------------------------------------------- names and texts


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("progress", "progress"),
        ("", "unnamed"),
        (None, "unnamed"),
        (" ", " "),
        ("é", "é"),
        (5, "5"),
        (True, "true"),
        (b"raw", "raw"),
        ("\udc80", "\\udc80"),
        (["a", 1], '["a",1]'),
        ("n" * 1024, "n" * 1024),
        ("n" * 2000, "n" * 1021 + "…"),
        ("é" * 2000, "é" * 510 + "…"),
    ],
)
def test_name_is_never_empty_and_bounded(value: Any, expected: str) -> None:
    """Any value becomes a name that a span and an event can have."""
    gate = Gate()
    assert gate.name(value) == expected
    name, found, _ = gate.event(value, {"a": 1})
    assert name == expected
    assert found.get(NOTE) == (("name",) if expected.endswith("…") else None)
    encoded(name, found)


def test_name_takes_the_default_that_it_is_given() -> None:
    """Where there is no name, the caller's stands in."""
    assert Gate().name("", "run") == "run"
    assert Gate().name(None, "run") == "run"
    assert Gate().name(odd_values.Text("x"), "run") == "x"
    assert Gate().name(odd_values.Text(""), "run") == "run"


def _content(gate: Gate) -> Callable[[str, object], str]:
    return lambda key, value: gate.content(key, value)[0]


def _text(gate: Gate) -> Callable[[str, object], str]:
    return gate.text


@pytest.mark.parametrize("of", [_text, _content])
def test_text_is_text_or_json(of: Callable[[Gate], Callable[[str, object], str]]) -> None:
    """Text stays, everything else is JSON, both within the bounds."""
    text = of(Gate())
    assert text("k", "as it is\n") == "as it is\n"
    assert text("k", {"a": [1, None, {"b": float("nan")}]}) == '{"a":[1,null,{"b":"NaN"}]}'
    assert text("k", 5) == "5"
    assert text("k", None) == "null"
    assert text("k", "x" * 9000) == "x" * 8189 + "…"
    assert text("k", hostile()) == "<odd_values.Hostile>"
    limited = of(Gate(limits=Limits(span_value_length=10)))
    assert limited("k", "x" * 20) == "x" * 9 + "…"
    assert limited("k", [{"a": 1}]) == '[{"a":1}]'
    assert limited("k", [{"a": 100}]) == '"…"'


def test_text_survives_a_stack_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails in the gate itself leaves an empty text, and a note."""

    def fail(*_: Any, **__: Any) -> Any:
        raise RecursionError

    monkeypatch.setattr("otelbridge._attributes.read", fail)
    gate = Gate()
    assert gate.text("k", [1]) == ""
    assert gate.event("e", [1])[:2] == ("e", {NOTE: ("+1 dropped",)})
    monkeypatch.setattr("otelbridge._attributes.Flattener", fail)
    assert gate.start({"a": 1}, [[]], {"x": [1]}, {}) == {"a": 1, NOTE: ("+1 dropped",)}  # type: ignore[list-item]


# ---------------------------------------------------------------- the start of a span

OWN = {semconv.RUN_ID: "0" * 36, semconv.RUN_TYPE: "chain"}


def started(gate: Gate, *rest: Any) -> dict[str, Any]:
    """Return the attributes that users added at the start, after the OTLP encoder saw them."""
    found = gate.start(OWN, *rest)
    if gate.limits.span_value_length is None:
        assert dict(list(found.items())[:2]) == OWN
    encoded("run", {}, gate.limits, start=found)
    return {key: value for key, value in found.items() if key not in OWN}


def test_start_has_tags_metadata_and_identities() -> None:
    """Tags, metadata and who the run is for are there from the start."""
    assert started(Gate(), ["a", "b"], {"user_id": 7, "plan": {"name": "x"}, "thread_id": "t"}) == {
        semconv.SESSION_ID: "t",
        semconv.CONVERSATION_ID: "t",
        semconv.USER_ID: "7",
        semconv.RUN_TAGS: ("a", "b"),
        "otelbridge.run.metadata.user_id": 7,
        "otelbridge.run.metadata.plan.name": "x",
        "otelbridge.run.metadata.thread_id": "t",
    }
    assert Gate().start(OWN) == OWN


@pytest.mark.parametrize(
    ("tags", "metadata", "configurable"),
    [
        ([], {}, {}),
        (["a"], {}, {}),
        (("a", "é"), None, None),
        ([], {"a": 1, "b": "x", "c": 0.5, "d": True}, {}),
        (["a"], {"thread_id": 5}, {"user_id": "u", "other": 1}),
        ([], {}, {"session_id": "s", "thread_id": "t"}),
        ([], {}, {"session_id": ["s"]}),
        ([], {"a": [1]}, {}),
        ([5, "a"], {}, {}),
        (["x" * 300], {}, {}),
        (["t"] * 30, {}, {}),
        ([], {"user_id": None, "session_id": False}, {"user_id": "u"}),
        (odd_values.Row(["a"]), odd_values.Table(), odd_values.Table()),
        ([], odd_values.Dict(a=1), {}),
        ([], {"a": 1}, odd_values.Table()),
    ],
)
def test_start_is_the_same_on_the_short_and_the_long_way(
    tags: Any, metadata: Any, configurable: Any
) -> None:
    """The short way differs in speed alone."""
    short, long = Gate(), Gate()
    long._fast_start = False
    assert started(short, tags, metadata, configurable) == started(
        long, tags, metadata, configurable
    )


@pytest.mark.parametrize(
    ("metadata", "configurable", "session", "conversation"),
    [
        ({"session_id": "s", "thread_id": "t", "conversation_id": "c"}, {}, "s", "c"),
        ({"thread_id": "t"}, {"session_id": "s"}, "t", "t"),
        ({"session_id": "s"}, {"thread_id": "t"}, "s", "s"),
        ({}, {"thread_id": 5}, "5", "5"),
        ({"session_id": None}, {"conversation_id": "c"}, "c", "c"),
        ({"session_id": {"a": 1}}, {}, '{"a":1}', '{"a":1}'),
    ],
)
def test_start_takes_identities_from_metadata_before_configurable(
    metadata: Any, configurable: Any, session: str, conversation: str
) -> None:
    """Metadata comes first, then what of configurable may leave; nothing else of it does."""
    found = started(Gate(), [], metadata, configurable | {"api_key": "secret"})
    assert found[semconv.SESSION_ID] == session
    assert found[semconv.CONVERSATION_ID] == conversation
    assert "secret" not in str(found)


@pytest.mark.parametrize("limit", range(12))
def test_start_leaves_room_for_what_the_run_itself_needs(limit: int) -> None:
    """Own attributes stay, metadata is cut first, and four places are kept for the end."""
    gate = Gate(limits=Limits(span_attributes=limit))
    found = gate.start(OWN, ["t"], {f"k{number}": number for number in range(9)} | {"thread_id": 1})
    assert len(found) <= max(limit, 0)
    assert list(found)[: min(limit, 2)] == list(OWN)[: min(limit, 2)]
    if limit >= 6:
        users = [key for key in found if key not in OWN and key != NOTE]
        assert len(users) == limit - 6
        assert NOTE in found
    if limit >= 9:
        assert semconv.RUN_TAGS in found
    encoded("run", {}, gate.limits, start=found)


def test_start_keeps_the_length_limit_of_the_sdk() -> None:
    """Values at the start are no longer than the SDK allows on a span."""
    gate = Gate(limits=Limits(span_value_length=5))
    found = started(gate, ["x" * 10, "y"], {"k": "z" * 10})
    assert found[semconv.RUN_TAGS] == ("xxxx…", "y")
    assert found["otelbridge.run.metadata.k"] == "zzzz…"
    assert gate.start({"a": "own text", "b": 5}) == {"a": "own …", "b": 5}


def test_start_survives_what_is_no_mapping() -> None:
    """Tags, metadata and configurable of a wrong kind lose nothing but themselves."""
    assert Gate().start(OWN, [], {"a": 1}, {"user_id": [1]})["user.id"] == "[1]"
    for odd in (hostile(), 5, "text", [1], odd_values.Table(broken=True)):
        found = Gate().start(OWN, odd, odd, odd)
        assert dict(list(found.items())[:2]) == OWN
        encoded("run", {}, start=found)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"a": 1, "b": "x", "c": 0.5, "d": True},
        {"a": ("x", "y"), "b": ["z"]},
        {"a": ("x",) * 5},
        {"a": ("é",)},
        {"a": (0.5, 1.5), "b": ()},
        {"a": "x" * 300},
        {"a": 2**63, "b": float("nan"), "c": "\ud800"},
        {"a": {"b": 1}},
        {f"k{number}": number for number in range(14)},
        {f"k{number}": number for number in range(15)},
        odd_values.Dict(a=1),
    ],
)
def test_more_is_the_same_on_the_short_and_the_long_way(values: Any) -> None:
    """What is added to a span's attributes comes to the same by either way."""
    short, long = Gate(), Gate()
    long._fast_start = False
    found = short.more(OWN, values)
    assert found == long.more(OWN, values)
    encoded("run", {}, short.limits, start=found)


@pytest.mark.parametrize("limit", range(12))
def test_more_leaves_room_for_what_the_run_itself_needs(limit: int) -> None:
    """What is added gives way to the run's own attributes and to what its end adds."""
    gate = Gate(limits=Limits(span_attributes=limit))
    found = gate.more(OWN, {f"k{number}": number for number in range(9)})
    assert {key: found[key] for key in OWN} == OWN
    added = [key for key in found if key not in OWN and key != NOTE]
    assert len(added) == max(limit - 6, 0)
    assert (NOTE in found) == (len(added) < 9)


def test_more_redacts_what_it_adds() -> None:
    """Denied keys and the redactor act on what is added, under its own key."""
    gate = Gate(redact=lambda key, value: f"<{key}>", denied_keys=["secret"])
    assert gate.more(OWN, {"a": "x", "my.secret": "y"}) == {
        **OWN,
        "a": "<a>",
        "my.secret": "[redacted]",
    }
