"""Records: data that is compared and shown by its fields."""

from __future__ import annotations

from otelbridge._record import Record


class Point(Record):
    """A record of two fields."""

    __slots__ = ("x", "y")

    def __init__(self, x: int, y: int = 0) -> None:
        self.x = x
        self.y = y


class Place(Record):
    """A record of another kind."""

    __slots__ = ("x", "y")

    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y


def test_records_are_equal_by_kind_and_fields() -> None:
    """So are their hashes; another kind with the same fields is another thing."""
    assert Point(1, 2) == Point(1, y=2)
    assert hash(Point(1, 2)) == hash(Point(1, 2))
    assert Point(1, 2) != Point(1, 3)
    assert Point(1, 2) != (1, 2)
    assert Point(1, 2) != Place(1, 2)


def test_record_is_replaced_by_another() -> None:
    """The one that was there stays as it is."""
    point = Point(1, 2)
    assert (point.replaced(y=3), point) == (Point(1, 3), Point(1, 2))


def test_record_shows_its_fields() -> None:
    """As they are passed."""
    assert repr(Point(1, 2)) == "Point(x=1, y=2)"
