"""Redaction: what the user hides is hidden wherever it would leave."""

from __future__ import annotations

import json
import logging
from typing import Any

import odd_values
import pytest
from odd_values import encoded, hostile

from otelbridge._attributes import Bounds, Gate
from otelbridge.errors import ConfigurationError


def asked(data: Any) -> list[tuple[str, Any]]:
    """Return what the redactor is asked for an event with this data."""
    calls: list[tuple[str, Any]] = []

    def redact(key: str, value: Any) -> Any:
        calls.append((key, value))
        return value

    name, found, _ = Gate(redact=redact).event("e", data)
    encoded(name, found)
    return calls


def test_redactor_is_asked_for_each_leaf_with_its_key() -> None:
    """Every leaf is shown with the key it leaves under, inside lists and JSON too."""
    data = {"a": 1, "b": {"c": None}, "l": ["x", "y"], "j": [{"k": True}, [2.5]], "n": 2**70}
    assert asked(data) == [
        ("data.a", 1),
        ("data.b.c", None),
        ("data.l", "x"),
        ("data.l", "y"),
        ("data.j.k", True),
        ("data.j", 2.5),
        ("data.n", 2**70),
    ]
    assert asked("text") == [("data", "text")]
    assert asked(odd_values.Order(b"raw"))[0] == ("data.id", "raw")
    assert asked([odd_values.Table(broken=True)]) == [("data", "<odd_values.Table>")]
    assert asked([[odd_values.Table(broken=True)]]) == [("data", "<odd_values.Table>")]
    assert asked(odd_values.Row((), 0)) == [("data", "<odd_values.Row>")]


def test_redactor_sees_a_string_whole() -> None:
    """A string is shown before it is cut, so that no half of a secret is left."""
    text = "x" * 8190 + "secret"
    gate = Gate(redact=lambda key, value: value.replace("secret", "*"))
    assert gate.event("e", text)[1] == {"data": "x" * 8190 + "*"}


def test_redactor_may_change_a_leaf_for_another() -> None:
    """What it returns leaves instead, made clean and bounded like any leaf."""
    answers = {
        "data.a": 5,
        "data.b": float("nan"),
        "data.c": "\udc80",
        "data.d": "x" * 9000,
        "data.e": odd_values.Text("t"),
        "data.f": odd_values.Number(7),
        "data.g": odd_values.Real(0.5),
        "data.h": True,
        "data.i": 2**80,
    }
    found = Gate(redact=lambda key, value: answers[key]).event("e", dict.fromkeys("abcdefghi", 0))[
        1
    ]
    encoded("e", found)
    assert list(found.values())[:9] == [
        5,
        "NaN",
        "\\udc80",
        "x" * 8189 + "…",
        "t",
        7,
        0.5,
        True,
        str(2**80),
    ]


def test_redactor_that_answers_none_hides_the_value() -> None:
    """None hides a value, and stays what it is for None itself."""
    gate = Gate(redact=lambda key, value: None)
    assert gate.event("e", {"a": 1, "b": None, "c": ["x", "y"]})[1] == {
        "data.a": "[redacted]",
        "data.b": "null",
        "data.c": ("[redacted]", "[redacted]"),
    }


@pytest.mark.parametrize("answer", [["list"], {"a": 1}, b"bytes", object(), "coroutine"])
def test_redactor_that_answers_oddly_withholds_the_value(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer that is no leaf is a failure of the redactor."""
    if answer == "coroutine":
        answer = odd_values.coroutine_function()
    gate = Gate(redact=lambda key, value: answer)
    assert gate.event("e", {"a": 1})[1] == {"data.a": "[redaction failed]"}
    assert "not a string, number, boolean or None" in caplog.text


def test_redactor_that_raises_withholds_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A failing redactor lets nothing out, and says so once in each gate."""

    def redact(key: str, value: Any) -> Any:
        raise ValueError("broken redactor")

    gate = Gate(redact=redact)
    data = {"a": "secret", "b": ["secret", ["secret"]]}
    assert gate.event("e", data)[1] == {
        "data.a": "[redaction failed]",
        "data.b": '["[redaction failed]",["[redaction failed]"]]',
    }
    assert gate.text("k", "secret") == "[redaction failed]"
    assert "secret" not in repr(gate.exception(ValueError("secret"))).replace("broken", "")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "broken redactor" in caplog.text


def test_redactor_that_raises_is_safe_with_a_broken_logging_set_up() -> None:
    """A logging filter that raises does not reach the program."""

    def broken(record: logging.LogRecord) -> bool:
        raise ValueError

    logger = logging.getLogger("otelbridge")
    logger.addFilter(broken)
    try:
        gate = Gate(redact=lambda key, value: 1 / 0)
        assert gate.event("e", 1)[1] == {"data": "[redaction failed]"}
    finally:
        logger.removeFilter(broken)


def test_redactor_interrupted_is_interrupted() -> None:
    """A KeyboardInterrupt in the redactor passes through."""

    def redact(key: str, value: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Gate(redact=redact).event("e", 1)


@pytest.mark.parametrize("denied", ["password", "PassWord", "data.auth.password", "auth.password"])
@pytest.mark.parametrize("value", ["secret", ["secret"], {"deep": "secret"}, [["secret"]], None, 5])
def test_denied_keys_are_withheld_at_any_depth(denied: str, value: Any) -> None:
    """A denied key hides what is under it, by its end after a dot or whole, in any case."""
    gate = Gate(denied_keys=[denied])
    assert gate.event("e", {"auth": {"Password": value, "user": "u"}})[1] == {
        "data.auth.Password": "[redacted]",
        "data.auth.user": "u",
    }
    found = gate.event("e", {"auth": [{"x": 1, "PASSWORD": value}]})[1]
    assert json.loads(found["data.auth"]) == [{"x": 1, "PASSWORD": "[redacted]"}]
    deep = Gate(Bounds(depth=0), denied_keys=[denied]).event("e", {"auth": {"password": value}})[1]
    assert deep == {"data": '{"auth":{"password":"[redacted]"}}'}


def test_denied_keys_match_whole_words() -> None:
    """A key that merely ends in a denied name is not denied, and one with a dot is."""
    gate = Gate(denied_keys=["key"])
    assert gate.event("e", {"monkey": 1, "api.key": 2, "key": 3, "k" * 20_000 + ".key": 4})[1] == {
        "data.monkey": 1,
        "data.api.key": "[redacted]",
        "data.key": "[redacted]",
        **{
            key: value
            for key, value in gate.event("e", {"k" * 20_000 + ".key": 4})[1].items()
            if value == "[redacted]" or key == "otelbridge.truncated"
        },
    }


def test_denied_keys_hide_data_content_and_texts_whole() -> None:
    """An attribute key that is denied itself hides everything under it."""
    gate = Gate(denied_keys=["data", "otelbridge.run.input", "otelbridge.run.tags"])
    for value in ("secret", ["secret"], {"a": "secret"}, [["secret"]]):
        assert gate.event("e", value)[1] == {"data": "[redacted]"}
        assert gate.content("otelbridge.run.input", value) == ("[redacted]", ())
    assert gate.start({}, ["secret"]) == {"otelbridge.run.tags": "[redacted]"}


def test_denied_keys_hide_identities_under_their_own_name() -> None:
    """An id that is denied as metadata does not leave as an identity either."""
    metadata = {"user_id": "u", "thread_id": "t"}
    found = Gate(denied_keys=["user_id"]).start({}, [], metadata, {"user_id": "u"})
    assert "u" not in found.values()
    assert found["session.id"] == "t"
    found = Gate(denied_keys=["session.id", "user_id"]).start({}, [], metadata, {})
    assert found["session.id"] == "[redacted]"
    found = Gate(denied_keys=["user_id"]).start({}, [], {}, {"user_id": "u", "session_id": "s"})
    assert found == {"session.id": "s", "gen_ai.conversation.id": "s"}


def test_redactor_is_asked_for_identities_under_their_own_name() -> None:
    """A redactor that knows an id by its metadata key hides it as an identity too."""

    def redact(key: str, value: Any) -> Any:
        return "***" if key.endswith(("user_id", "tags")) else value

    found = Gate(redact=redact).start({}, ["a", "b"], {"user_id": "u"}, {"thread_id": "t"})
    assert found == {
        "session.id": "t",
        "gen_ai.conversation.id": "t",
        "user.id": "***",
        "otelbridge.run.tags": ("***", "***"),
        "otelbridge.run.metadata.user_id": "***",
    }


async def async_redactor(key: str, value: Any) -> Any:
    """A redactor that cannot be used."""


class AsyncRedactor:
    """Another."""

    async def __call__(self, key: str, value: Any) -> Any:
        """Redact too late."""


@pytest.mark.parametrize(
    "given",
    [
        {"redact": 5},
        {"redact": AsyncRedactor()},
        {"redact": async_redactor},
        {"denied_keys": "password"},
        {"denied_keys": [5]},
    ],
)
def test_redaction_that_cannot_work_raises_at_set_up(given: dict[str, Any]) -> None:
    """A mistake in the settings is named at once, with its cure."""
    with pytest.raises(ConfigurationError, match=r"cannot be used: pass a"):
        Gate(**given)


def test_redaction_of_keys_of_any_kind() -> None:
    """Keys that are no strings are matched by the text they become."""
    gate = Gate(denied_keys=["5", "null"])
    found = gate.event("e", {5: "secret", None: "secret", "x": [{5: "secret"}], hostile: 1})[1]
    assert "secret" not in repr(found)
