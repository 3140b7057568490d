"""How many bytes there is room for, measured."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

HOST_SHARE = 0.5
"""The share of the host's available memory that a data set may take."""

DEVICE_SHARE = 0.25
"""The share of a device's free memory that a data set may take; training needs the rest."""


def fits_host(size: int) -> bool:
    """Whether the host has room for that many bytes, training aside."""
    return size <= HOST_SHARE * host_room()


def fits_device(size: int, device: torch.device) -> bool:
    """Whether the device has room for that many bytes, training aside; the CPU has them already."""
    if device.type == "cpu":
        return True
    return size <= DEVICE_SHARE * device_room(device)


def device_room(device: torch.device) -> int:
    """Free bytes on an accelerator; 0 where it can't be measured."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return 0


def host_room(meminfo: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")) -> int:
    """Available bytes of the host's memory, within the limit of this process's container."""
    return min(_available(meminfo), _unused(group))


def _available(meminfo: Path) -> int:
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _unused(group: Path) -> int:
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
    except OSError:  # no such container
        return sys.maxsize
    return max(0, int(limit) - used) if limit.isdigit() else sys.maxsize
