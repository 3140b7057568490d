"""Randomness as a function of counters: no state to save, and none to lose."""

from __future__ import annotations

import hashlib

import torch


def mix(*counters: int | str) -> int:
    """A seed in [0, 2⁶³) that is a function of the counters alone, on any machine."""
    text = "/".join(f"{type(counter).__name__}:{counter}" for counter in counters)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*counters: int | str) -> torch.Generator:
    """A CPU generator seeded by the counters."""
    return torch.Generator().manual_seed(mix(*counters))


def reseed(*counters: int | str) -> None:
    """Seed torch's global generators, of every device, by the counters."""
    torch.manual_seed(mix(*counters))
