"""The gate: the one way by which a value of the user's reaches a span.

Any Python value in, bounded OTel attributes out, which the OTLP encoder takes. The gate never
raises and never warns per value; what it cut, it says in ``otelbridge.truncated``. The rules of
flattening stand in ``_flatten``, those of each type in ``_shapes``.

A gate holds no changing state but "the redactor has failed once": use it from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from . import semconv
from ._bounds import Bounds
from ._exception import message_of, stack_of, tail, type_name
from ._flatten import ENTRY_BYTES, AttributeValue, Flattener
from ._json import to_json
from ._limits import Limits
from ._redaction import Redactor
from ._shapes import Fields, Many, read
from ._text import clean, is_native, scalar_text, utf8_len

__all__ = ["AttributeValue", "Bounds", "Gate"]

NAME_BYTES: Final = 1024  # of a span's or an event's name
_RESERVED: Final = 4  # places of a span for the outcome, the error type, the note, and one spare
_FAST_KEYS: Final = 16  # a mapping up to this size may take the short way
_FAST_CHARS: Final = 256  # a string up to this length
_FAST_KEY_CHARS: Final = 64
# What a mapping on the short way can need at most; smaller bounds take the long way.
_FAST_BYTES: Final = _FAST_KEYS * (_FAST_CHARS + _FAST_KEY_CHARS + 32) + 1024

_METADATA: Final = semconv.RUN_METADATA.rstrip(".")
_CONFIGURABLE: Final = "otelbridge.run.configurable."
# Which attribute is taken from which key, the first that is there.
_IDENTITIES: Final = (
    (semconv.SESSION_ID, ("session_id", "conversation_id", "thread_id")),
    (semconv.CONVERSATION_ID, ("conversation_id", "thread_id", "session_id")),
    (semconv.USER_ID, ("user_id",)),
)


class Gate:
    """Cleans, bounds and redacts whatever leaves for a span.

    Args:
        bounds: Our own bounds.
        limits: The SDK's limits, which the gate keeps itself (see ``_limits``).
        redact: Called as ``redact(key, value)`` with each leaf (a string of any length, a number, a
            boolean or None) that leaves, inside lists, JSON texts, tags and errors too; ``key`` is the
            attribute's key, dotted on inside JSON. What it returns leaves instead. None hides the
            value, and so does a failure.
        denied_keys: Key names whose value is withheld: a whole attribute key, or its end after a
            dot; case does not matter.

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
        self.bounds = bounds or Bounds()
        self.limits = limits or Limits()
        self._redactor = Redactor(redact, denied_keys)
        event_places = _least(self.bounds.keys, self.limits.event_attributes)
        lengths = (
            self.bounds.string,
            _least(self.bounds.string, self.limits.event_value_length),
            _least(self.bounds.string, self.limits.span_value_length),
        )
        self._fast = (
            not self._redactor.active
            and self.bounds.event >= _FAST_BYTES
            and event_places >= _FAST_KEYS
            and min(lengths) >= _FAST_CHARS
            and self.bounds.depth > 0
        )

    def name(self, value: object, default: str = "unnamed") -> str:
        """Return a name for a span or an event: never empty, at most 1 KiB."""
        return self._name(value, default)[0]

    def text(self, key: str, value: object) -> str:
        """Return a string for a span, such as a status text; ``key`` is told to the redactor."""
        return self._bounded(key, value, self.limits.span_value_length)

    def content(self, key: str, value: object) -> str:
        """Return a run's input or output: text as it is, everything else as compact JSON."""
        return self._bounded(key, value, self.limits.span_value_length)

    def event(self, name: object, data: Any) -> tuple[str, dict[str, AttributeValue], int]:
        """Return the event's name, its attributes and roughly the bytes it takes."""
        if self._fast and type(name) is str and 0 < len(name) <= _FAST_CHARS and name.isascii():
            size = len(name)
            if type(data) is dict:
                plain = _plain(semconv.DATA_PREFIX, data)
                if plain is not None:
                    return name, plain[0], size + plain[1]
            elif _is_plain(data):
                return name, {semconv.DATA: data}, size + ENTRY_BYTES + 4 + _size(data)
        try:
            return self._event(name, data)
        except Exception:  # the last resort, so that no value of any kind can be the one that raises
            return "unnamed", {semconv.TRUNCATED: ("+1 dropped",)}, 64

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
        if tags or metadata or configurable:
            try:
                self._start(found, tags, metadata or {}, configurable or {})
            except Exception:
                found[semconv.TRUNCATED] = ("+1 dropped",)
        limit = self.limits.span_attributes
        while limit is not None and len(found) > limit:
            found.popitem()
        return found

    def exception(self, error: BaseException) -> dict[str, AttributeValue]:
        """Return the attributes of an exception event."""
        limit = self.limits.event_attributes
        found: dict[str, AttributeValue] = {semconv.EXCEPTION_TYPE: type_name(type(error))}
        try:
            cut = self._exception(found, error)
        except Exception:
            cut = [semconv.EXCEPTION_STACKTRACE]
        found[semconv.EXCEPTION_ESCAPED] = "False"
        places = len(found) if limit is None else limit - bool(cut)
        while found and len(found) > places:
            found.popitem()
        if cut and limit != 0:
            found[semconv.TRUNCATED] = tuple(cut)
        return found

    def _name(self, value: object, default: str) -> tuple[str, bool]:
        if type(value) is str and value.isascii() and 0 < len(value) <= _FAST_CHARS:
            return value, False
        shape = "" if value is None else read(value)
        if isinstance(shape, Many):
            text, was_cut = to_json(shape, NAME_BYTES)
        else:
            text, was_cut = clean(scalar_text(shape)[0], NAME_BYTES)
        return text or default, was_cut

    def _bounded(self, key: str, value: object, chars: int | None) -> str:
        room = self.bounds.string
        try:
            shape = read(value)
            if isinstance(shape, Many):
                return to_json(shape, _least(room, chars), key=key, redactor=self._redactor)[0]
            if self._redactor.active:
                shape = self._redactor(key, shape)
            return clean(scalar_text(shape)[0], room, chars)[0]
        except Exception:
            return ""

    def _event(self, name: object, data: Any) -> tuple[str, dict[str, AttributeValue], int]:
        shown, was_cut = self._name(name, "unnamed")
        limit = self.limits.event_attributes
        if limit == 0:
            return shown, {}, utf8_len(shown)
        shape = read(data)
        flat = Flattener(
            self._redactor,
            places=_least(self.bounds.keys, limit) if isinstance(shape, Fields) else 1,
            room=self.bounds.event,
            string=self.bounds.string,
            chars=self.limits.event_value_length,
            depth=self.bounds.depth,
        )
        if was_cut:
            flat.note("name")
        flat.add(semconv.DATA, shape)
        size = utf8_len(shown) + self.bounds.event - flat.left
        return shown, flat.finish(limit), size

    def _start(
        self,
        found: dict[str, AttributeValue],
        tags: Sequence[str],
        metadata: Mapping[str, Any],
        configurable: Mapping[str, Any],
    ) -> None:
        limit = self.limits.span_attributes
        free = self.bounds.keys if limit is None else limit - _RESERVED - len(found)
        flat = Flattener(
            self._redactor,
            places=max(min(self.bounds.keys, free), 0),
            room=self.bounds.event,
            string=self.bounds.string,
            chars=self.limits.span_value_length,
            depth=self.bounds.depth,
        )
        for key, value in self._identities(metadata, configurable):
            flat.add(key, value)
        if tags:
            flat.add(semconv.RUN_TAGS, tags)
        if metadata:
            flat.add(_METADATA, metadata)
        found.update(flat.finish(None))

    def _identities(
        self, metadata: Mapping[str, Any], configurable: Mapping[str, Any]
    ) -> list[tuple[str, object]]:
        found: list[tuple[str, object]] = []
        for attribute, names in _IDENTITIES:
            for prefix, source in ((_METADATA + ".", metadata), (_CONFIGURABLE, configurable)):
                name = next((name for name in names if source.get(name) is not None), None)
                if name is None:
                    continue
                # Hidden under the name that the user knows it by is hidden here too.
                if not self._redactor.denies(prefix + name):
                    found.append((attribute, source[name]))
                break
        return found

    def _exception(self, found: dict[str, AttributeValue], error: BaseException) -> list[str]:
        chars = self.limits.event_value_length
        room = self.bounds.string
        message, cut_message = clean(message_of(error, self._redactor), room, chars)
        found[semconv.EXCEPTION_MESSAGE] = message
        stack, cut_stack = stack_of(error, self._redactor, room)
        if chars is not None and len(stack) > chars:
            stack, cut_stack = tail(stack, chars)[0], True
        found[semconv.EXCEPTION_STACKTRACE] = stack
        cut = [semconv.EXCEPTION_MESSAGE] if cut_message else []
        return [*cut, semconv.EXCEPTION_STACKTRACE] if cut_stack else cut


def _least(bound: int, limit: int | None) -> int:
    return bound if limit is None or bound < limit else limit


def _plain(prefix: str, data: dict[Any, Any]) -> tuple[dict[str, AttributeValue], int] | None:
    """The short way: a small flat dict of exact builtins, or None where it is anything else."""
    if not data or len(data) > _FAST_KEYS:
        return None
    found: dict[str, AttributeValue] = {}
    size = 0
    try:
        for key, value in data.items():
            if type(key) is not str or not key or len(key) > _FAST_KEY_CHARS or not key.isascii():
                return None
            kind = type(value)
            if kind is str:
                if len(value) > _FAST_CHARS or not value.isascii():
                    return None
                size += len(value)
            elif kind is int:
                if not -0x8000_0000_0000_0000 <= value <= 0x7FFF_FFFF_FFFF_FFFF:
                    return None
            elif kind is float:
                if value - value != 0.0:  # NaN and the infinities
                    return None
            elif kind is not bool:
                return None
            found[prefix + key] = value
            size += len(key) + ENTRY_BYTES
    except RuntimeError:  # another thread is changing it
        return None
    return found, size


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is str:
        return len(value) <= _FAST_CHARS and str.isascii(value)
    if kind is int:
        return is_native(value)
    if kind is float:
        return bool(value - value == 0.0)
    return kind is bool


def _size(value: Any) -> int:
    return len(value) if type(value) is str else 0
