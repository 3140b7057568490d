"""The parts of a step, timed one by one while a contender trains."""

from __future__ import annotations

from gan_cli.bench.contender import BOTH, D_PART, Contender
from gan_cli.bench.report import Part
from gan_cli.bench.timing import REST, Clock, Stopwatch, listening
from gan_cli.method.gan import GAN


def parts(one: Contender, steps: int, clock: Clock, budget: float) -> list[Part]:
    """Seconds of each part of a step, over blocks of so many for so many seconds.

    What D pays in penalties is the difference to as many steps without them.
    """
    one.enter()
    watch, bare = Stopwatch(clock), Stopwatch(clock)
    begun, done, pays = clock(), 0, _pays(one)
    while done < steps or clock() - begun < budget:
        timed(one, watch, steps)
        if pays:
            _unpaid(one, bare, steps)
        done += steps
    return shared(watch, bare if pays else None, done)


def timed(one: Contender, watch: Stopwatch, steps: int) -> None:
    """Train so many steps, and note the time of each part."""
    with listening(watch, one.places()):
        watch.start()
        one.train(steps)
        watch.stop()


def _pays(one: Contender) -> bool:
    method = one.session.method
    return isinstance(method, GAN) and bool(method.penalties)


def _unpaid(one: Contender, watch: Stopwatch, steps: int) -> None:
    """The same steps of a game in which D pays no penalty."""
    game = one.session.game
    kept, game.penalties = game.penalties, {}
    try:
        timed(one, watch, steps)
    finally:
        game.penalties = kept


def shared(watch: Stopwatch, bare: Stopwatch | None, steps: int) -> list[Part]:
    """The parts of a step in seconds, the longest first and what is left over last.

    bare: the same without penalties; they are the difference of what is D's, or of the networks'.
    """
    found = [Part(name, time / steps) for name, time in watch.taken.items() if name != REST]
    found.sort(key=lambda part: -part.seconds)
    whose = next((part for part in found if part.name in (D_PART, BOTH)), None)
    if bare is not None and whose is not None:
        paid = whose.seconds - bare.taken.get(whose.name, 0.0) / steps
        found.insert(found.index(whose) + 1, Part("penalties", max(0.0, paid), whose.name))
    return [*found, Part(REST, watch.taken.get(REST, 0.0) / steps)]
