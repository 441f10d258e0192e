"""Files and folders that belong to this user alone, whatever the umask."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

# Flags that not every system has: never follow a link, never wait for the other end of a pipe.
SAFELY: Final = (
    getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)


def make_private(path: Path) -> None:
    """Make a folder of mode 0700, whatever the umask.

    Raises:
        OSError: it cannot be made, or exists.
    """
    os.mkdir(path, 0o700)
    os.chmod(path, 0o700)  # the umask may have taken more away


def open_private(path: Path, flags: int) -> int:
    """Open a file that is made with mode 0600, whatever the umask, and return its descriptor.

    Raises:
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, flags | SAFELY, 0o600)
    if sys.platform != "win32" and flags & os.O_CREAT:
        os.fchmod(descriptor, 0o600)
    return descriptor
