"""What records the kernels of a step and launches them again: a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import torch

T = TypeVar("T")


class Recorder(Protocol):
    """Records what is computed, and computes it again."""

    def record(self, play: Callable[[], T]) -> T:
        """What `play` gives: tensors that are written at each replay.

        Whether it is computed meanwhile, who asks doesn't know, and puts all back.
        """
        ...

    def replay(self) -> None:
        """Compute it, at the same addresses, with the random numbers of now."""
        ...


class Studio(Protocol):
    """Where steps are recorded.

    key: of conf/hardware, under which that is asked for. settles: whether some steps are played as
    they are before one is recorded.
    """

    key: str
    settles: bool

    def recorder(self) -> Recorder:
        """A new one."""
        ...

    def aside(self, play: Callable[[], T]) -> T:
        """What `play` gives, computed where recordings are made, as libraries settle in there."""
        ...

    def tidy(self) -> None:
        """Give back the memory that was only wanted for a trial."""
        ...


class CUDA:
    """CUDA graphs of one device, on a stream of their own and with memory that they share.

    They share it as they are replayed one at a time, and what one has computed is copied before
    another is. At each replay torch writes seed and offset of the device's generator, as
    `randomness.reseed` has left them, where the recorded kernels read them; so a replayed step
    draws the numbers of an eager one.
    """

    key = "cuda_graphs"
    settles = True

    def __init__(self, device: torch.device):
        self.device = device
        self.stream = torch.cuda.Stream(device)
        with torch.cuda.device(device):
            self.pool = torch.cuda.graph_pool_handle()

    def recorder(self) -> Recorder:
        """A new graph."""
        return _Graph(self)

    def aside(self, play: Callable[[], T]) -> T:
        """What `play` gives, on the stream of the graphs."""
        outer = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(outer)
        with torch.cuda.stream(self.stream):
            out = play()
        outer.wait_stream(self.stream)
        return out

    def tidy(self) -> None:
        """Give back the memory that was only wanted for a trial."""
        torch.cuda.empty_cache()


class _Graph:
    def __init__(self, studio: CUDA):
        self._studio = studio
        self._graph = torch.cuda.CUDAGraph()

    def record(self, play: Callable[[], T]) -> T:
        """What `play` gives; RuntimeError where it waits for the device."""
        device = self._studio.device
        seeded = torch.cuda.get_rng_state(device)
        try:
            return self._recorded(play)
        except BaseException:
            _fresh_generator(device)
            torch.cuda.set_rng_state(seeded, device)
            raise

    def _recorded(self, play: Callable[[], T]) -> T:
        studio = self._studio
        with (
            torch.cuda.device(studio.device),
            torch.cuda.stream(torch.cuda.current_stream(studio.device)),  # whatever happens, back
            torch.cuda.graph(
                self._graph,
                pool=studio.pool,
                stream=studio.stream,
                # other threads, which read data ahead, may do what they like meanwhile
                capture_error_mode="thread_local",
            ),
        ):
            return play()

    def replay(self) -> None:
        """Launch all of it."""
        self._graph.replay()


def _fresh_generator(device: torch.device) -> None:
    """Give the device's generator a new state: of a recording that failed it is not told the end,
    and some versions of torch would let it draw no more."""
    index = torch.cuda.current_device() if device.index is None else device.index
    own = torch.cuda.default_generators[index]
    own.graphsafe_set_state(torch.Generator(device).graphsafe_get_state())
