"""How long to wait before the next attempt."""

from __future__ import annotations

import random

FIRST_S = 0.5
LONGEST_S = 15.0

# Not the module's own generator: what an application draws after it has seeded that stays the same.
# And no generator with a state, which the children of a fork would share.
_random = random.SystemRandom()


class Backoff:
    """Waits twice as long each time, and differently in each process."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def next_s(self) -> float:
        """Return how long to wait now, from half to all of what it is the time for."""
        wait_s, self._next_s = self._next_s, min(2 * self._next_s, LONGEST_S)
        return wait_s * _random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin again: an attempt has succeeded."""
        self._next_s = FIRST_S
