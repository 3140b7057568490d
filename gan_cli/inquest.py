"""Where a number came from that is not finite: of which player, and in which tensor.

Suspected are, in this order, the data, which can be made again since a batch is a function of its
number; a weight that overflowed in an update whose gradient was finite; and of the first update
that told of such a number D's outputs, the loss, what is paid besides, and the gradient.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from torch import Tensor

from gan_cli import dist
from gan_cli.errors import GanError
from gan_cli.facts import Bad
from gan_cli.notes import REMEDY
from gan_cli.player import Player
from gan_cli.session import Session

ORDER = ("D", "loss", "", "_slopes", "grad_norm", "_buffers", "_sizes")
"""What is suspected first of what an update told, by its name's first word; '' is any other."""

HINTS = {"D/fake": ", what D says of samples of G; of real ones it is finite"}
"""What is known besides, where a fact is the first that is not finite."""

DATA = "the data: "

AGAIN = {"D": "D_A", "G": "F"}
"""Who learns in a second game, whose facts end in /back."""

_NUMBERED = re.compile(r"_(\d+)/(.+)")


def inquest(session: Session, step: int, bad: Bad, fresh: bool) -> str:
    """What was not finite at that step, in words; '' where nothing is found.

    `bad` are the facts that were not, of one update or of the whole step. `fresh` says that the
    players are as that step left them. Every rank has to ask, and all are told the same.
    """
    told = [words for words in dist.gathered(_data(session, step)) if words]
    players = session.method.players
    overflown = [p for n, p in players.items() if fresh and not _any(bad, f"_slopes/{n}")]
    told += [words for player in overflown if (words := _weights(player))]
    return dist.told(told[0] if told else _first(bad, players))


def remedy(found: str) -> str:
    """What may help against what was found."""
    if found.startswith(DATA):
        return "policy=skip leaves such a batch out"
    return REMEDY


def _data(session: Session, step: int) -> str:
    """The first sample of the step's batches that is not finite, in words; '' where all are."""
    count = session.method.batches_per_step
    with suppress(GanError, OSError):  # the data may be gone
        for number in range((step - 1) * count, step * count):
            batch = session.feed(number)
            for what, values in (("", batch.x), (" (what is given with it)", batch.c)):
                if words := _sample(values):
                    return f"{DATA}{words} of batch {number}{what}"
    return ""


def _sample(values: Tensor | None) -> str:
    """The first row that is not finite, in words; of several ranks each has its own rows."""
    if values is None or not values.is_floating_point() or values.isfinite().all():
        return ""
    finite = values.flatten(1).isfinite()
    rows = (~finite.all(1)).nonzero().flatten().tolist()
    wrong = values[rows[0]].flatten()[~finite[rows[0]]]
    row = dist.rank() + dist.size() * rows[0]
    said = f"{len(wrong):,} of {finite.shape[1]:,} numbers are {float(wrong[0])} in sample {row}"
    return said + (f", and some in {len(rows) - 1} others" if len(rows) > 1 else "")


def _weights(player: Player) -> str:
    """The tensors that are not finite, though the gradient was, in words; '' where all are."""
    every = player.floats
    bad = [name for name, tensor in every.items() if not tensor.isfinite().all()]
    if not bad:
        return ""
    largest = float(every[bad[0]].detach().abs().max())
    kind = "weight" if bad[0].partition("/")[2] in player.slopes else "tensor"
    name = bad[0] if bad[0].startswith(f"{player.name}_ema/") else bad[0].partition("/")[2]
    return (
        f"{player.name}: the {kind} {name} is {largest}{_others(len(bad), len(every))}, "
        "of an update whose gradient was finite"
    )


def _first(bad: Bad, players: Mapping[str, Player]) -> str:
    """What is suspected first of the first update that told of a number that is none."""
    if not bad:
        return ""
    earlier = {m[0]: (m[1], m[2]) for name in bad if (m := _NUMBERED.fullmatch(name))}
    number = min((number for number, _ in earlier.values()), key=int, default="")
    told = {n: name for n, (one, name) in earlier.items() if one == number} or {n: n for n in bad}
    known = [*players]
    who = _who(next(iter(told.values())), known)
    first = min(
        (n for n, name in told.items() if _who(name, known) == who), key=lambda n: _rank(told[n])
    )
    words = f"{who}: {_words(told[first], bad[first], players)}"
    return f"{words} (in update {number} of the step)" if number else words


def _rank(name: str) -> int:
    kind = name.partition("/")[0]
    return ORDER.index(kind if kind in ORDER else "")


def _words(name: str, values: Sequence[float], players: Mapping[str, Player]) -> str:
    kind, _, rest = name.partition("/")
    places = [index for index, value in enumerate(values) if not math.isfinite(value)]
    value = values[places[0]]
    if kind not in TENSORS:
        return f"{name} is {value}{HINTS.get(name, '')}"
    of, names = TENSORS[kind]
    which = names(players[rest.partition("/")[0]])[places[0]]
    return f"the {of}{which} is {value}{_others(len(places), len(values))}"


def _buffers(player: Player) -> list[str]:
    buffers = player.net.named_buffers()
    return [name for name, one in buffers if one.is_floating_point() and one.numel()]


TENSORS: dict[str, tuple[str, Callable[[Player], list[str]]]] = {
    "_slopes": ("gradient of ", lambda player: player.slopes),
    "_buffers": ("tensor ", _buffers),
    "_sizes": ("tensor ", lambda player: [*player.floats]),
}
"""Facts with a number for each of some tensors: what is told of one, and the tensors' names."""


def _others(bad: int, every: int) -> str:
    return f" (and {bad - 1} of {every - 1} others)" if bad > 1 else ""


def _who(name: str, players: Sequence[str]) -> str:
    """The player that a fact is of: said by its last word, else by its kind."""
    parts = name.split("/")
    if parts[0].startswith("_"):
        return parts[1]
    back = parts[-1] == "back"
    last = parts[-2 if back else -1].upper()
    if last not in players:
        last = "G" if parts[0] == "term" else "D"
    who = AGAIN[last] if back else last
    return who if who in players else " and ".join(players)


def _any(bad: Iterable[str], name: str) -> bool:
    return any(name in one for one in bad)
