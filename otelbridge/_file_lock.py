"""A lock on a file that ends with the process that holds it, however that process ends.

It excludes other processes and other locks of the same process alike. Closing it in a forked child
leaves the parent's lock in force.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from otelbridge._private_files import open_private

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


class FileLock:
    """A lock that is held.

    Args:
        path: the file locked; it is not changed.
        create: whether to make it, with mode 0600, where it is missing.

    Raises:
        BlockingIOError: another holds it, or it was removed by its holder meanwhile.
        OSError: it cannot be opened, or the file system has no locks.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self._descriptor = open_private(path, os.O_RDWR | (os.O_CREAT if create else 0))
        try:
            _lock(self._descriptor)
            if not os.path.samestat(os.fstat(self._descriptor), os.stat(path)):
                raise FileNotFoundError
        except (BlockingIOError, FileNotFoundError) as error:
            self.forget()
            raise BlockingIOError(f"another process holds {path}") from error
        except BaseException:
            self.forget()
            raise

    @property
    def held(self) -> bool:
        """Whether the file is still there: without it, another process could lock a new one."""
        return os.fstat(self._descriptor).st_nlink > 0

    def release(self) -> None:
        """Let others have it, even where a forked child still has the file open."""
        if self._descriptor >= 0:
            _unlock(self._descriptor)
        self.forget()

    def forget(self) -> None:
        """Close the file alone, as a forked child does with its parent's lock."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
