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
    """Seed the global generator of every device in use by the counters.

    As torch.manual_seed does, but for what that costs while CUDA is not in use: 0.25 ms a call.
    """
    seed = mix(*counters)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)
