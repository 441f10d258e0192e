"""The gate: the one way by which a value of the user's reaches a span.

Any Python value in, bounded OTel attributes out, which the OTLP encoder takes. The gate never
raises and never warns per value; what it cut, it says in ``otelbridge.truncated``. The rules and
the form of that note stand in ``_flatten``, those of each Python type in ``_shapes``.

A gate holds no changing state but "the redactor has failed once", and the module remembers keys
that need no cleaning: use both from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from . import semconv
from ._bounds import Bounds
from ._conversation import is_spoken, to_text
from ._exception import facts_of
from ._flatten import (
    ENTRY_BYTES,
    PLAIN_CHARS,
    AttributeValue,
    Flattener,
    Rules,
    is_plain,
    note_of,
)
from ._json import to_json
from ._limits import Limits
from ._redaction import Redactor
from ._shapes import Fields, Many, read
from ._text import clean, scalar_text, utf8_len

__all__ = ["AttributeValue", "Bounds", "Gate"]

NAME_BYTES: Final = 1024  # of a span's or an event's name
_RESERVED: Final = 4  # places of a span for the outcome, the error type, the note, and one spare

# The short way takes small flat data of exact builtins only.
_FAST_KEYS: Final = 16
_FAST_KEY_CHARS: Final = 64
_FAST_ITEMS: Final = 4  # of a list of texts
_MOST_KEYS: Final = 1_000  # that are remembered
_MOST_MAPPINGS: Final = 32  # with keys of their own, that are
_PLAIN_BYTES: Final = 2 * ENTRY_BYTES  # counted for a key and a number: counting costs time too
_FAST_BYTES: Final = (
    _FAST_KEYS * (_FAST_ITEMS * (PLAIN_CHARS + ENTRY_BYTES) + _FAST_KEY_CHARS + ENTRY_BYTES) + 1024
)

_METADATA: Final = semconv.RUN_METADATA.rstrip(".")
_CONFIGURABLE: Final = "otelbridge.run.configurable"
# Which attribute is taken from which key: the first that is there.
_IDENTITIES: Final = (
    (semconv.SESSION_ID, ("session_id", "conversation_id", "thread_id")),
    (semconv.CONVERSATION_ID, ("conversation_id", "thread_id", "session_id")),
    (semconv.USER_ID, ("user_id",)),
)
_IDENTITY_KEYS: Final = frozenset(name for _, names in _IDENTITIES for name in names)


class Gate:
    """Cleans, bounds and redacts whatever leaves for a span.

    Args:
        bounds: Our own bounds.
        limits: The SDK's limits, which the gate keeps itself (see ``_limits``).
        redact: Called as ``redact(key, value)`` with each leaf (a string of any length, a number, a
            boolean or None) that leaves, inside lists, JSON texts, tags and errors too; ``key`` is
            the attribute's key, dotted on inside JSON, without list positions. What it returns
            leaves instead. None hides the value, and so does a failure, which is logged once.
        denied_keys: Key names whose value is withheld: a whole attribute key, or its end after a
            dot; case does not matter.

    Names of events and spans, and exception types, are not redacted.

    Raises:
        ConfigurationError: ``redact`` or ``denied_keys`` cannot work.
    """

    def __init__(
        self,
        bounds: Bounds | None = None,
        limits: Limits | None = None,
        *,
        redact: Callable[[str, Any], Any] | None = None,
        denied_keys: Collection[str] = (),
    ) -> None:
        self.bounds = bounds = bounds or Bounds()
        self.limits = limits = limits or Limits()
        self._redactor = redactor = Redactor(redact, denied_keys)
        self._event_rules = events = Rules(
            redactor, bounds.event, bounds.string, limits.event_value_length, bounds.depth
        )
        self._span_rules = spans = Rules(
            redactor, bounds.event, bounds.string, limits.span_value_length, bounds.depth
        )
        roomy = bounds.event >= _FAST_BYTES and bounds.depth > 1
        places = _least(bounds.keys, limits.event_attributes)
        self._fast = events.takes_plain and roomy and places >= _FAST_KEYS
        places = _least(bounds.keys, limits.span_attributes)
        self._fast_start = spans.takes_plain and roomy and places >= _FAST_KEYS * 4

    def name(self, value: object, default: str = "unnamed") -> str:
        """Return a name for a span or an event: never empty, at most 1 KiB."""
        return _name(value, default)[0]

    def text(self, key: str, value: object) -> str:
        """Return a string for a span, such as a status text; ``key`` is told to the redactor.

        Text stays as it is, everything else becomes compact JSON. What is cut ends in "…".
        """
        try:
            return self._text(key, value)[0]
        except Exception:
            return ""

    def _text(self, key: str, value: object) -> tuple[str, bool]:
        room, chars = self.bounds.string, self.limits.span_value_length
        shape = read(value)
        if isinstance(shape, Many) and not self._redactor.denies(key):
            return to_json(shape, _least(room, chars), key=key, redactor=self._redactor)
        leaf = None if isinstance(shape, Many) else shape
        return clean(scalar_text(self._redactor(key, leaf))[0], room, chars)

    def content(self, key: str, value: object) -> tuple[str, tuple[str, ...]]:
        """Return a run's input or output, by the rules of `text`, and what was cut of it.

        Of a conversation the end stays (see ``_conversation``), and the note says how many messages
        are missing.
        """
        room, dropped = _least(self.bounds.string, self.limits.span_value_length), 0
        try:
            if is_spoken(value) and not self._redactor.denies(key):
                text, was_cut, dropped = to_text(value, room, key, self._redactor)
            else:
                text, was_cut = self._text(key, value)
        except Exception:
            return "", (key,)
        missing = (f"{key}: {dropped} oldest messages dropped",) if dropped else ()
        return text, (key, *missing) if was_cut else ()

    def event(self, name: object, data: Any) -> tuple[str, dict[str, AttributeValue], int]:
        """Return the event's name, its attributes and roughly the bytes it takes."""
        if self._fast and type(name) is str and name.isascii() and 0 < len(name) <= PLAIN_CHARS:
            found: dict[str, AttributeValue] = {}
            if type(data) is dict:
                size = _flat(_data_keys, data, found)
                if size:
                    return name, found, len(name) + size
            elif is_plain(data):
                size = len(data) if type(data) is str else ENTRY_BYTES
                return name, {semconv.DATA: data}, len(name) + size
        shown = "unnamed"
        try:
            shown, was_cut = _name(name, shown)
            return self._event(shown, was_cut, data)
        except Exception:  # the last resort, such as a stack with no room for another call
            return shown, {semconv.TRUNCATED: ("+1 dropped",)}, 64

    def start(
        self,
        attrs: Mapping[str, AttributeValue],
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        configurable: Mapping[str, Any] | None = None,
    ) -> dict[str, AttributeValue]:
        """Return the attributes that a run's span starts with.

        Args:
            attrs: The run's own, taken as they are; they always have their place.
            tags: Become ``otelbridge.run.tags``.
            metadata: Becomes ``otelbridge.run.metadata.<key>``; cut first where room is short.
            configurable: Only ids of session, conversation and user are read from it, where the
                metadata has none; pass no more of it than may leave.
        """
        found = dict(attrs)
        try:
            if self._fast_start and len(tags) <= _FAST_KEYS:
                if _flat_start(found, tags, metadata, configurable):
                    return found
                found = dict(attrs)
            self._start(found, tags, metadata, configurable)
        except Exception:
            found[semconv.TRUNCATED] = ("+1 dropped",)
        limit = self.limits.span_attributes
        while limit is not None and len(found) > limit:
            found.popitem()
        return found

    def more(
        self, attrs: Mapping[str, AttributeValue], values: Mapping[str, Any]
    ) -> dict[str, AttributeValue]:
        """Return the attributes of a span with others, each cleaned under its own key."""
        found = dict(attrs)
        if self._fast_start and type(values) is dict and len(found) + len(values) <= _FAST_KEYS:
            if not values or _flat(_own_keys, values, found):
                return found
            found = dict(attrs)
        limit = self.limits.span_attributes
        free = self.bounds.keys if limit is None else limit - _RESERVED - len(found)
        flat = Flattener(self._span_rules, max(min(self.bounds.keys, free), 0))
        added: dict[str, AttributeValue]
        try:
            for key, value in values.items():
                flat.add(key, value)
            added = flat.finish(None)
        except Exception:
            added = {semconv.TRUNCATED: ("+1 dropped",)}
        if semconv.TRUNCATED in found and semconv.TRUNCATED in added:
            notes = (*_texts(found[semconv.TRUNCATED]), *_texts(added[semconv.TRUNCATED]))
            added[semconv.TRUNCATED] = notes
        found.update(added)
        return found

    def exception(self, error: BaseException) -> dict[str, AttributeValue]:
        """Return the attributes of an exception event."""
        chars = self.limits.event_value_length
        facts, cut = facts_of(error, self._redactor, self.bounds.string, chars)
        found: dict[str, AttributeValue] = {**facts}
        limit = self.limits.event_attributes
        places = len(found) if limit is None else limit - bool(cut)
        while len(found) > max(places, 0):
            found.popitem()
        if cut and limit != 0:
            found[semconv.TRUNCATED] = note_of(cut, 0, chars)
        return found

    def _event(
        self, name: str, name_cut: bool, data: object
    ) -> tuple[str, dict[str, AttributeValue], int]:
        limit = self.limits.event_attributes
        if limit == 0:
            return name, {}, utf8_len(name)
        shape = read(data)
        places = _least(self.bounds.keys, limit) if isinstance(shape, Fields) else 1
        flat = Flattener(self._event_rules, places)
        if name_cut:
            flat.note("name")
        flat.add(semconv.DATA, shape)
        return name, flat.finish(limit), utf8_len(name) + flat.size()

    def _start(
        self,
        found: dict[str, AttributeValue],
        tags: Sequence[str],
        metadata: Mapping[str, Any] | None,
        configurable: Mapping[str, Any] | None,
    ) -> None:
        limit, chars = self.limits.span_attributes, self.limits.span_value_length
        if chars is not None:
            for key, own in found.items():
                if isinstance(own, str):
                    found[key] = clean(own, self.bounds.string, chars)[0]
        free = self.bounds.keys if limit is None else limit - _RESERVED - len(found)
        flat = Flattener(self._span_rules, max(min(self.bounds.keys, free), 0))
        for key, value in self._identities(metadata, configurable):
            flat.add(key, value)
        for key, given in ((semconv.RUN_TAGS, tags), (_METADATA, metadata)):
            if not _is_empty(given):
                flat.add(key, given)
        found.update(flat.finish(None))

    def _identities(self, metadata: Any, configurable: Any) -> Iterator[tuple[str, str]]:
        """Yield who the run is for; what is hidden under its own key is hidden here too."""
        for attribute, names in _IDENTITIES:
            for prefix, source in ((_METADATA, metadata), (_CONFIGURABLE, configurable)):
                name, value = _first_of(source, names)
                if name is None:
                    continue
                key = f"{prefix}.{name}"
                if not self._redactor.denies(key):
                    yield attribute, self.text(key, value)
                break


def _texts(note: AttributeValue) -> tuple[str, ...]:
    return cast("tuple[str, ...]", note)


def _is_empty(value: Any) -> bool:
    try:
        return value is None or len(value) == 0
    except Exception:  # no container: something of it can be told all the same
        return False


def _least(bound: int, limit: int | None) -> int:
    return bound if limit is None or bound < limit else limit


def _name(value: object, default: str) -> tuple[str, bool]:
    """Return a name, and whether it was cut."""
    if type(value) is str and 0 < len(value) <= PLAIN_CHARS and value.isascii():
        return value, False
    shape = default if value is None else read(value)
    if isinstance(shape, Many):
        return to_json(shape, NAME_BYTES)
    text, was_cut = clean(scalar_text(shape)[0], NAME_BYTES)
    return text or default, was_cut


def _first_of(source: Any, names: Sequence[str]) -> tuple[str | None, Any]:
    """Return the first of the names that has a value in the mapping, and the value."""
    for name in names:
        try:
            value = source.get(name)
        except Exception:
            return None, None
        if value is not None:
            return name, value
    return None, None


class _Keys(dict[str, str]):
    """Keys that need no cleaning, with their prefix: events of one kind have the same ones again.

    A key that needs some is the empty string.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix
        self._below: dict[str, _Keys] = {}

    def below(self, key: str) -> _Keys:
        """Return the keys of the mapping that this key has."""
        keys = self._below.get(key)
        if keys is None:
            if len(self._below) >= _MOST_MAPPINGS:
                self._below.clear()
            keys = self._below[key] = _Keys(f"{key}.")
        return keys

    def __missing__(self, key: str) -> str:
        if not 0 < len(key) <= _FAST_KEY_CHARS or not key.isascii():
            return ""
        if len(self) >= _MOST_KEYS:
            self.clear()
        self[key] = full = self._prefix + key
        return full


_data_keys: Final = _Keys(semconv.DATA_PREFIX)
_metadata_keys: Final = _Keys(semconv.RUN_METADATA)
_own_keys: Final = _Keys("")


def _flat(
    keys: _Keys, data: dict[Any, Any], found: dict[str, AttributeValue], *, has_parts: bool = True
) -> int:
    """Fill ``found`` from a small dict of exact builtins; return its size, 0 for all else.

    A value may be a dict again, of plain values alone, or a row of texts, if it ``has_parts``.
    """
    if len(data) > _FAST_KEYS:
        return 0
    size = 0
    expected = len(found) + len(data)
    try:
        for key, value in data.items():
            full = keys[key] if type(key) is str else ""
            if not full:
                return 0
            kind = type(value)
            if kind is str:
                if len(value) > PLAIN_CHARS or not value.isascii():
                    return 0
                size += len(value)
            elif kind is bool:
                pass
            elif kind is int:
                if not -0x8000_0000_0000_0000 <= value <= 0x7FFF_FFFF_FFFF_FFFF:
                    return 0
            elif kind is float:
                if value - value != 0.0:  # NaN and the infinities
                    return 0
            elif not has_parts:
                return 0
            elif kind is tuple or kind is list:
                inside = _row_size(value)
                if not inside:
                    return 0
                size += inside
                value = tuple(value)
            elif kind is dict:
                if len(value) > _FAST_ITEMS:
                    return 0
                inside = _flat(keys.below(full), value, found, has_parts=False)
                if not inside:
                    return 0
                size += inside
                expected += len(value) - 1
                continue
            else:
                return 0
            found[full] = value
            size += _PLAIN_BYTES
    except RuntimeError:  # another thread is changing it
        return 0
    return size if len(found) == expected else 0  # else two keys became one


def _row_size(values: tuple[Any, ...] | list[Any]) -> int:
    """Return the size of a few short texts, which need no further look; 0 for all else."""
    size = 0
    if len(values) <= _FAST_ITEMS:
        for value in values:
            if type(value) is not str or len(value) > PLAIN_CHARS or not value.isascii():
                return 0
            size += len(value) + ENTRY_BYTES
    return size


def _flat_start(
    found: dict[str, AttributeValue], tags: Any, metadata: Any, configurable: Any
) -> bool:
    """Add small flat metadata and plain tags to ``found``; False, and half done, for all else."""
    if type(tags) is not list and type(tags) is not tuple:
        return False
    if tags:
        for tag in tags:
            if type(tag) is not str or not is_plain(tag):
                return False
        found[semconv.RUN_TAGS] = tuple(tags)
    for source in (metadata, configurable):
        if source is not None and type(source) is not dict:
            return False
    if metadata and not _flat(_metadata_keys, metadata, found):
        return False
    if (metadata and not _IDENTITY_KEYS.isdisjoint(metadata)) or configurable:
        return _flat_identities(metadata, configurable, found)
    return True


def _flat_identities(metadata: Any, configurable: Any, found: dict[str, AttributeValue]) -> bool:
    for attribute, names in _IDENTITIES:
        value = _first_of(metadata, names)[1]
        if value is None:
            value = _first_of(configurable, names)[1]
        if value is not None:
            if not is_plain(value):
                return False
            found[attribute] = scalar_text(value)[0]
    return True
