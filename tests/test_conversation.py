"""Conversations as JSON: what there is no room for is missing from their beginning."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelbridge._attributes import Bounds, Gate
from otelbridge._conversation import Conversation

KEY = "k"


def said(number: int, length: int = 400) -> dict[str, Any]:
    return {"role": "user", "parts": [f"{number}: " + "x" * length]}


def kept(text: str) -> list[tuple[str, int]]:
    """Return the role and the number of each message that is there."""
    return [(one["role"], int(one["parts"][0].split(":")[0])) for one in json.loads(text)]


def test_a_conversation_that_fits_is_whole() -> None:
    """Nothing is said of it."""
    messages = [said(n) for n in range(5)]
    text, note = Gate().content(KEY, Conversation(messages))
    assert (json.loads(text), note) == (messages, ())


def test_the_oldest_messages_go_first() -> None:
    """The last ones are there whole, and the note says how many are not."""
    messages = [said(n) for n in range(100)]
    text, note = Gate().content(KEY, Conversation(messages))
    there = kept(text)
    assert there == [("user", n) for n in range(100 - len(there), 100)]
    assert json.loads(text)[-8:] == messages[-8:]
    assert 7_000 < len(text) <= 8_192
    assert note == (KEY, f"{KEY}: {100 - len(there)} oldest messages dropped")


def test_instructions_stay() -> None:
    """What the system said before all is there, however long the conversation is."""
    system = {"role": "system", "parts": ["0: Be kind."]}
    text, _ = Gate().content(KEY, Conversation([system, *map(said, range(1, 100))], 1))
    assert json.loads(text)[0] == system
    assert kept(text)[1:] == [("user", n) for n in range(101 - len(kept(text)), 100)]


@pytest.mark.parametrize("long", [0, 7, 9])
def test_a_long_message_leaves_room_for_others(long: int) -> None:
    """It is shortened, wherever it stands; the others are whole."""
    messages = [said(n, 20_000 if n == long else 20) for n in range(10)]
    text, note = Gate().content(KEY, Conversation(messages))
    there = json.loads(text)
    assert [one for n, one in enumerate(there) if n != long] == [
        one for n, one in enumerate(messages) if n != long
    ]
    assert there[long]["parts"][0].startswith(f"{long}: xxx")
    assert 8_000 < len(text) <= 8_192
    assert note == (KEY,)


def test_what_stands_beside_the_messages_has_a_quarter() -> None:
    """Of a dict, such as a graph's state."""
    messages = [said(n) for n in range(100)]
    state = {"before": 1, "messages": Conversation(messages), "text": "y" * 9_000}
    text, note = Gate().content(KEY, state)
    there = json.loads(text)
    assert list(there) == ["messages", "before", "text"]
    assert there["messages"][-1] == messages[-1]
    assert 1_500 < len(there["text"]) <= 2_048
    assert len(text) <= 8_192
    assert note == (KEY, f"{KEY}: {100 - len(there['messages'])} oldest messages dropped")
    alone, _ = Gate().content(KEY, {"messages": Conversation(messages)})
    assert json.loads(alone)["messages"][-1] == messages[-1]


def test_messages_are_redacted() -> None:
    """Each leaf, under the same key as ever; denied keys hide the whole."""
    seen: set[str] = set()

    def redact(key: str, value: Any) -> Any:
        seen.add(key)
        return value.replace("x", "-") if isinstance(value, str) else value

    messages = Conversation([said(n) for n in range(100)])
    text, _ = Gate(redact=redact).content(KEY, {"messages": messages})
    assert "x" not in text
    assert seen == {f"{KEY}.messages.role", f"{KEY}.messages.parts"}
    for denied, found in ((KEY, "[redacted]"), ("messages", '{"messages":"[redacted]"}')):
        value = {"messages": messages}
        assert Gate(denied_keys=[denied]).content(KEY, value) == (found, ())


def test_a_message_that_holds_its_conversation() -> None:
    """A cycle is none in the text."""
    messages = Conversation([said(n) for n in range(100)])
    messages.append({"role": "user", "parts": ["100: "], "all": messages})
    text, _ = Gate().content(KEY, messages)
    assert json.loads(text)[-1]["all"] == "[cycle]"


@given(
    sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=30),
    instructions=st.integers(0, 3),
    bound=st.integers(1, 4_000),
    beside=st.booleans(),
)
def test_whatever_is_said_fits(
    sizes: list[int], instructions: int, bound: int, beside: bool
) -> None:
    """The text is within its bound, valid JSON, and the messages in it are in order."""
    messages = Conversation((said(n, size) for n, size in enumerate(sizes)), instructions)
    value: Any = {"messages": messages, "other": "o" * bound} if beside else messages
    text, note = Gate(Bounds(string=bound)).content(KEY, value)
    assert len(text.encode()) <= bound
    if bound < 1_000:
        return
    there = json.loads(text)["messages"] if beside else json.loads(text)
    numbers = [int(one["parts"][0].split(":")[0]) for one in there]
    assert numbers == sorted(numbers)
    assert numbers[-1] == len(sizes) - 1
    missing = len(sizes) - len(numbers)
    assert bool(missing) is (f"{KEY}: {missing} oldest messages dropped" in note)
