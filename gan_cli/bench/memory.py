"""How much memory a process has come to use at most, since it was last asked."""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import suppress
from pathlib import Path

import torch

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
ON_CUDA = "allocated on the GPU at most"
RESIDENT = "resident at most, beyond what the process had before"
SINCE_BEGUN = "resident at most since the process began, beyond what it had before"


class Peak:
    """The peak of memory from when it is made, beyond what there was, in bytes.

    On CUDA that of the allocator; else the resident memory of the process, of which Linux forgets
    the peak when it is told to; other systems tell the peak since the process began. `about`:
    which of them it is, in words.
    """

    def __init__(self, device: torch.device):
        gc.collect()
        self.device = device
        if device.type == "cuda":
            if torch.cuda.is_initialized():  # which is for who claims the device
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats(device)
            self.about, self.before = ON_CUDA, 0
            return
        with suppress(OSError, AttributeError):  # what is free goes back, where that can be asked
            ctypes.CDLL(None).malloc_trim(0)
        try:
            FORGET.write_text("5")
            self.about = RESIDENT
        except OSError:
            self.about = SINCE_BEGUN
        self.before = _resident() or _most()

    def __call__(self, before: int | None = None) -> int:
        """So many bytes were in use at most; beyond those `before`, where that is given."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        return max(0, _most() - (self.before if before is None else before))


def _resident() -> int:
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


def _most() -> int:
    """The largest resident memory of the process so far; 0 where the system tells nothing."""
    with suppress(OSError):
        lines = STATUS.read_text().splitlines()
        told = next((line for line in lines if line.startswith("VmHWM:")), "")
        if told:
            return int(told.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def too_much(error: BaseException) -> bool:
    """Whether an error says that there is no more memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and any(word in said for word in _SAID)


_SAID = ("out of memory", "can't allocate memory", "not enough memory")
