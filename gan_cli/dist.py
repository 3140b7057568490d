"""More than one process that train one run: who they are, and what they tell each other.

Each process is a rank; rank 0 writes. A batch is
shared out by rows: of W ranks, rank r has the rows r, r + W, r + 2W, …. With one process, which is
what there is unless somebody has joined, everything here gives back what it is given.
"""

from gan_cli.ranks.meeting import alone, first, joined, local, rank, size
from gan_cli.ranks.shares import level, mean, own, own_like, rows, whole
from gan_cli.ranks.words import (
    agreed,
    check_alike,
    collected,
    digest,
    gathered,
    in_turn,
    told,
    use,
)

__all__ = [
    "agreed",
    "alone",
    "check_alike",
    "collected",
    "digest",
    "first",
    "gathered",
    "in_turn",
    "joined",
    "level",
    "local",
    "mean",
    "own",
    "own_like",
    "rank",
    "rows",
    "size",
    "told",
    "use",
    "whole",
]
