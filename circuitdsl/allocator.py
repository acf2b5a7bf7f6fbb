"""What the C library keeps of memory that was freed: settings of glibc, and its way to give back. Elsewhere nothing is
done.

glibc gives back what is freed at the end of its heap. What lies between pieces that are still in use it keeps, so that
equal runs may take twice as much memory the one time as the other.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

KEPT = 256 << 20
"""Bytes: so much of what was freed is kept to be used again. Less costs time, for every page is cleared anew."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGEST_ON_HEAP = 32 << 20  # bytes; the most that glibc allows. Larger pieces are given back when they are freed


def set_up() -> None:
    """Settings for a process that is ours; a library leaves those of its user alone. To be called before torch is
    loaded.

    Stacks of runs take and free the same megabytes again and again: they come from the heap, whose end is kept, and
    torch asks for large pages. Both save time and neither changes a figure.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if mallopt := _function("mallopt"):
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_ON_HEAP)
        mallopt(_M_TRIM_THRESHOLD, KEPT)


@dataclass
class Heap:
    """Gives back what the C library keeps, whenever the process has grown by more than :data:`KEPT`.

    ``left``: bytes of the process when it was last done.
    """

    left: int = 0

    def give_back(self) -> None:
        """To be called where something large may have been freed. It takes milliseconds, and mostly does nothing."""
        if resident() > self.left + KEPT and (trim := _function("malloc_trim")):
            trim(0)
            self.left = resident()


def resident() -> int:
    """Bytes of physical memory that the process takes; 0 where the operating system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _function(name: str) -> Callable[..., int] | None:
    """A function of glibc; None in another C library, which may have one of that name that does something else."""
    try:
        process = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows has no library by that name
        return None
    return getattr(process, name, None) if hasattr(process, "gnu_get_libc_version") else None
