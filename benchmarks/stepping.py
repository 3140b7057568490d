"""gan's step alone, without the loop around it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

from gan_cli import build, session
from gan_cli.randomness import reseed
from gan_cli.session import Session


def stepping(*words: str) -> tuple[Session, Callable[[], None]]:
    """The session of a command, and what makes it take its next step."""
    config = build.compose(*words, f"data_root={os.environ.get('GAN_DATA', 'data')}")
    parts = build.parts(config)
    made = session.make(config, parts, parts.hardware.claim())
    k, steps = made.method.batches_per_step, itertools.count()

    def play() -> None:
        step = next(steps)
        reseed(0, step)
        made.step((made.feed(i) for i in range(step * k, (step + 1) * k)), step)

    return made, play
