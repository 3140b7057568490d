"""Who the ranks are, where they meet, and who tells what went wrong."""

from __future__ import annotations

import signal
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch.distributed as together

# before there is a group: imported later, its functions would keep the group as their default
import torch.distributed.nn.functional  # noqa: F401

from gan_cli.errors import LostRank, UserMistake
from gan_cli.launcher import Place, torchrun

PATIENCE = timedelta(days=7)
"""How long ranks wait for one that measures: a rank that is gone is noticed at once."""

ARRIVAL = timedelta(seconds=300)
"""How long all have to arrive."""

POLITE = 2.0
"""Seconds that a rank other than 0 waits for another to tell what went wrong, before it does."""

FAREWELL = 15.0
"""Seconds that rank 0 waits for the others to ask who tells, where none of them is known to be gone
(on a machine that is busy they may be slow)."""


@dataclass
class Group:
    """The ranks that have joined; `data` is the group that gradients go through."""

    place: Place
    store: Any
    data: Any = None
    told: bool | None = None


class _Here:
    group: Group | None = None


_here = _Here()


def group() -> Group | None:
    """The ranks that this process is one of; None where it is alone."""
    return _here.group


def rank() -> int:
    """The number of this process, from 0."""
    return _here.group.place.rank if _here.group else 0


def size() -> int:
    """How many ranks there are."""
    return _here.group.place.size if _here.group else 1


def local() -> int:
    """The number of this process on its machine."""
    return _here.group.place.local if _here.group else 0


@contextmanager
def joined(place: Place | None) -> Iterator[None]:
    """Be one of several ranks for as long as it lasts; alone where there is no place.

    Raises UserMistake when the others can't be reached. What ends it by an error is told by one
    rank alone: see `first`.
    """
    if place is None:
        yield
        return
    _here.group = Group(place, _meet(place))
    if place.rank:
        warnings.simplefilter("ignore")  # rank 0 says it
    try:
        yield
        with talking():
            together.barrier()
    except BaseException as error:
        if isinstance(error, LostRank):
            _finish_speaking()
        first(error)  # before anything is torn down, which the others would notice
        _forget(error)
        _leave(_here.group)
        alive = isinstance(error, Exception) and not isinstance(error, LostRank)
        _see_off(_here.group, FAREWELL if alive else POLITE)
        raise
    else:
        _leave(_here.group)
        _here.group = None


def _finish_speaking() -> None:
    """Be deaf to SIGTERM from now on: torchrun and srun send it to all whose rank is gone, at once,
    and nobody would be left to tell. They send SIGKILL to those who take too long.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _leave(group: Group) -> None:
    """Let go of the others in order: threads that still run when Python ends abort the process.

    Groups of NCCL are left to the end of the process: they would wait for those that are gone.
    """
    if group.data is None:
        together.destroy_process_group()


def _see_off(group: Group, seconds: float) -> None:
    """Keep the meeting place, where this rank does, until all have asked there who tells."""
    if group.place.rank or group.place.hosted:
        return
    until = time.monotonic() + seconds
    while time.monotonic() < until and group.store.add("told", 0) < group.place.size:
        time.sleep(0.02)


def _forget(error: BaseException | None) -> None:
    """Let go of what the frames of an error hold, the group of the ranks among it."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


@contextmanager
def alone() -> Iterator[None]:
    """Average nothing meanwhile: the others may be elsewhere, or gone."""
    kept, _here.group = _here.group, None
    try:
        yield
    finally:
        _here.group = kept


def first(error: BaseException) -> bool:
    """Whether it is for this process to tell what went wrong: one of all ranks does.

    A rank other than 0 leaves that to it for a moment, and then says which one it is.
    """
    here = _here.group
    if here is None:
        try:
            place = torchrun()
            return place is None or _claim(place, _store(place) if place.hosted else None)
        except (UserMistake, RuntimeError):  # nobody to ask
            return True
    if here.told is None:
        here.told = _claim(here.place, here.store)
        if here.told and here.place.rank and not isinstance(error, LostRank):
            error.args = (f"rank {here.place.rank}: {error}", *error.args[1:])
    return here.told


def _claim(place: Place, store: Any) -> bool:
    """Whether nobody has claimed to be the one that tells; without a store it is rank 0."""
    if store is None:
        return place.rank == 0
    try:
        until = time.monotonic() + (POLITE if place.rank else 0.0)
        while time.monotonic() < until and not store.check(["told"]):
            time.sleep(0.05)
        return bool(store.add("told", 1) == 1)
    except RuntimeError:  # rank 0 held the store, and is gone
        return place.rank == 1


def _meet(place: Place) -> Any:
    """The store that all share, once all are there."""
    try:
        store = _store(place)
        store.set(f"here/{place.rank}", "")
        store.wait([f"here/{number}" for number in range(place.size)], ARRIVAL)
        together.init_process_group(
            "gloo", store=store, rank=place.rank, world_size=place.size, timeout=PATIENCE
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise UserMistake(
            f"rank {place.rank} of {place.size} can't meet the others at {place.host}:"
            f"{place.port}: {reason}"
        ) from error
    return store


def _store(place: Place) -> Any:
    hosts = place.rank == 0 and not place.hosted
    store = together.TCPStore(  # type: ignore[attr-defined]
        place.host, place.port, place.size, hosts, ARRIVAL, wait_for_workers=False
    )
    return together.PrefixStore(f"gan/{place.attempt}", store)  # type: ignore[attr-defined]


@contextmanager
def talking() -> Iterator[None]:
    """Turns what is said of a broken line into LostRank."""
    try:
        yield
    except RuntimeError as error:
        raise LostRank(
            "another rank is gone, and nobody can go on: the same command goes on from the last "
            "checkpoint"
        ) from error
