"""A player: a network, its optimiser and its average; it descends its own gradient."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain, islice

import torch
from torch import Tensor, nn

from gan_cli import dist, memory
from gan_cli.average import Averaging
from gan_cli.batch import Batch
from gan_cli.facts import Facts, norms_of
from gan_cli.optimizer import Optimizer

LossOf = Callable[[Batch], tuple[Tensor, Facts]]
"""The loss of each sample of a batch, `(N,)`, and what there is to tell."""

Check = Callable[[Sequence["Player"], Sequence[Sequence[Tensor]], Facts], None]
"""Raises an error where an update by these gradients of these players is not to be made."""

Precision = Callable[[], AbstractContextManager[None]]
"""Makes the context in which a network computes (autocast, or nothing)."""

Forward = Callable[[Tensor, Tensor | None], Tensor]
"""A network as a function, `(N, …), (N, …) -> (N, …)`: itself, or compiled."""


class Player:
    """A network that learns: net, optimiser, average, and how much it has learnt from.

    A method says what it is called. `check`, where there is one, looks at every gradient before
    anything moves, and `skipped` counts the updates that it has refused: in all, and of the newest
    those in a row. `rate` is the learning rate now. `late`, while a step is captured, gives the
    tensor in which the share of the network in its average will stand when it is known.
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: Optimizer,
        lr: float,
        averaging: Averaging | None = None,
        clip_grad: float | None = None,
    ):
        self.net = net
        self.compiled: Forward | None = None
        self.weights = [p for p in net.parameters() if p.requires_grad]
        self.recipe, self.lr, self.rate = optimizer, lr, lr
        self.optimizer = optimizer.make(list(self.weights), lr)
        self.averaging = averaging
        self.average = copy.deepcopy(net).eval().requires_grad_(False) if averaging else None
        self.clip_grad = clip_grad
        self.precision: Precision = nullcontext
        self.updates = 0
        self.images = 0
        self.name = ""
        self.check: Check | None = None
        self.late: Callable[[], Tensor] | None = None
        self.skipped = (0, 0)
        self._pairs: Pairs | None = None

    def __call__(self, x: Tensor, c: Tensor | None) -> Tensor:
        """The network's output in float32 (float64 of such a network), however it computes."""
        with self.precision():
            out: Tensor = (self.net if self.compiled is None else self.compiled)(x, c)
        return out if out.dtype == torch.float64 else out.float()

    @contextmanager
    def borrow(self, weights: dict[str, Tensor]) -> Iterator[None]:
        """Play with these weights, which can be differentiated, in place of its own.

        They stand in the network itself, so that penalties meet them too.
        """
        places = [
            (self.net.get_submodule(k.rpartition(".")[0]), k.rpartition(".")[2]) for k in weights
        ]
        own = [module._parameters[name] for module, name in places]
        try:
            _put(places, weights.values())
            yield
        finally:
            _put(places, own)

    def descend(self, loss: LossOf, batch: Batch, parts: int = 1) -> Facts:
        """One step down the gradient of the mean loss, of this player's weights alone.

        The batch can be taken in several parts, one after the other, which needs less memory for
        the same step. Nothing is left in any `.grad`, neither here nor in the other player.
        """
        gradient, facts = self.gradient(loss, batch, parts)
        return facts | self.move(gradient, len(batch))

    def gradient(self, loss: LossOf, batch: Batch, parts: int = 1) -> tuple[list[Tensor], Facts]:
        """The gradient of the mean loss in each of this player's weights, and what was told."""
        (slopes,), facts = gradient(loss, batch, [self], parts)
        return slopes, facts

    def move(self, gradient: list[Tensor], images: int) -> Facts:
        """One step of the optimiser along a gradient; the average follows.

        `images` are those of this rank, of which all have as many.
        """
        images *= dist.size()
        told = self.push(gradient)
        self.updates += 1
        self.images += images
        self._follow(images)
        return told

    def push(self, gradient: list[Tensor]) -> Facts:
        """A step of the optimiser that is counted nowhere; the gradient's norm before clipping."""
        norms = norms_of(gradient)
        norm = torch.linalg.vector_norm(norms)
        if self.clip_grad is not None:
            gradient = list(torch._foreach_mul(gradient, (self.clip_grad / norm).clamp(max=1)))
        for weight, slope in zip(self.weights, gradient, strict=True):
            weight.grad = _laid_out(slope, weight)
        self.optimizer.step()
        for weight in self.weights:
            weight.grad = None
        return {"grad_norm": norm, f"_slopes/{self.name}": norms}

    @torch.no_grad()
    def _follow(self, images: int) -> None:
        """Move the average towards the network; batch statistics are averaged like weights."""
        if self.average is None or self.averaging is None:
            return
        share = self.share(images, self.images) if self.late is None else self.late()
        if self._pairs is None:  # to go through the modules takes longer than to average them
            self._pairs = _pairs(self.average, self.net)
        old, new, counts = self._pairs
        if isinstance(share, Tensor):  # the same numbers, a tensor at a time
            torch._foreach_lerp_(old, new, [share.to(tensor.dtype) for tensor in old])
        else:
            torch._foreach_lerp_(old, new, share)
        for one, other in counts:
            one.copy_(other)

    def share(self, images: int, seen: int) -> float:
        """The weight of the network in its average's move, after `images` more of `seen` in all."""
        return 0.0 if self.averaging is None else 1 - self.averaging.decay(images, seen)

    def pace(self, factor: float) -> float:
        """Set the learning rate to `factor` times its own, and return it."""
        return self.go(self.lr * factor)

    def slow(self, factor: float) -> float:
        """Set the learning rate to `factor` times what it is now, and return it."""
        return self.go(self.rate * factor)

    def go(self, rate: float) -> float:
        """Learn at this rate; where it stands on the device, it is written there."""
        for group in self.optimizer.param_groups:
            if not isinstance(group["lr"], Tensor):
                group["lr"] = rate
            elif rate != self.rate:
                group["lr"].fill_(rate)
        self.rate = rate
        return rate

    @property
    def floats(self) -> dict[str, Tensor]:
        """Every floating tensor of the network and of its average, by name."""
        nets = {self.name: self.net} | ({f"{self.name}_ema": self.average} if self.average else {})
        every = {f"{k}/{name}": t for k, net in nets.items() for name, t in _tensors(net)}
        return {name: t for name, t in every.items() if t.is_floating_point() and t.numel()}

    @property
    def slopes(self) -> list[str]:
        """The names of the weights, in the order of a gradient."""
        return [name for name, weight in self.net.named_parameters() if weight.requires_grad]

    @property
    def best(self) -> nn.Module:
        """The network to show: the average where there is one."""
        return self.net if self.average is None else self.average

    def state(self, name: str) -> dict[str, Tensor]:
        """Everything that the next step depends on, as named tensors."""
        tensors = {f"{name}/{key}": value for key, value in self.net.state_dict().items()}
        if self.average is not None:
            average = self.average.state_dict()
            tensors |= {f"{name}_ema/{key}": value for key, value in average.items()}
        for index, entries in self.optimizer.state_dict()["state"].items():
            tensors |= {f"opt_{name}/{index}/{key}": value for key, value in entries.items()}
        skipped = self.skipped if self.check else ()
        tensors[f"count_{name}"] = torch.tensor([self.updates, self.images, *skipped])
        return tensors

    def restore(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Take back what `state` gave.

        Raises KeyError when a tensor is missing, RuntimeError when one is not as it must be.
        """
        count = tensors[f"count_{name}"]
        length = 4 if len(count) == 4 else 2  # with those that were skipped, or without
        memory.check(f"count_{name}", count, torch.zeros(length, dtype=torch.int64))
        self.net.load_state_dict(_under(f"{name}/", tensors), strict=True)
        if self.average is not None:
            self.average.load_state_dict(_under(f"{name}_ema/", tensors), strict=True)
        self.updates, self.images, *skipped = (int(number) for number in count)
        self.skipped = (skipped[0], skipped[1]) if skipped else (0, 0)
        entries: dict[int, dict[str, Tensor]] = {}
        keys = self._optimizer_keys() if self.updates else {}
        for index, weight in enumerate(self.weights):
            for key, shaped in keys.items():
                full = f"opt_{name}/{index}/{key}"
                memory.check(full, tensors[full], weight if shaped else torch.zeros(()))
                kept = _laid_out(tensors[full], weight) if shaped else tensors[full]
                entries.setdefault(index, {})[key] = kept
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": entries, "param_groups": groups})

    def _optimizer_keys(self) -> dict[str, bool]:
        """What the optimiser keeps for each weight, and whether it has the weight's shape.

        It is asked with a weight of its own.
        """
        probe = nn.Parameter(torch.zeros(1))
        optimizer = self.recipe.make([probe], self.lr)
        probe.grad = torch.zeros(1)
        optimizer.step()
        kept = optimizer.state_dict()["state"].get(0, {})
        return {key: value.dim() == 1 for key, value in kept.items()}


def gradient(
    loss: LossOf, batch: Batch, players: Sequence[Player], parts: int = 1
) -> tuple[list[list[Tensor]], Facts]:
    """The gradient of the mean loss in the weights of each of these players, and what was told.

    The batch is taken in so many parts, one after the other. Of several ranks each takes its own
    rows, as many as the others, and the gradient is that of the whole batch.
    """
    weights = [weight for player in players for weight in player.weights]
    total: list[Tensor] = []
    facts: Facts = {}
    for part in batch.split(parts):
        losses, told = loss(part)
        share = torch.autograd.grad(
            losses.sum() / len(batch), weights, allow_unused=True, materialize_grads=True
        )
        total = list(torch._foreach_add(total, share)) if total else list(share)
        facts = _average(facts, told, len(part) / len(batch))
    rest = iter(dist.mean(total))
    slopes = [list(islice(rest, len(player.weights))) for player in players]
    check(players, slopes, facts)
    return slopes, facts


def check(players: Sequence[Player], slopes: Sequence[Sequence[Tensor]], facts: Facts) -> None:
    """Raise the error of the players' check, if they have one and these are refused."""
    if (refuse := players[0].check) is not None:
        refuse(players, slopes, facts)


def _laid_out(values: Tensor, weight: Tensor) -> Tensor:
    """Values in memory as their weight is: torch's fused optimisers read them in that order.

    A gradient of a convolution which is differentiated twice is not, nor is what a checkpoint
    holds of a weight whose channels are last; they would be taken transposed.
    """
    if values.stride() == weight.stride():
        return values
    return torch.empty_like(weight).copy_(values)


Pairs = tuple[list[Tensor], list[Tensor], list[tuple[Tensor, Tensor]]]


def _pairs(average: nn.Module, net: nn.Module) -> Pairs:
    """The tensors of an average and of its network that are averaged, and pairs of others."""
    both = (chain(one.parameters(), one.buffers()) for one in (average, net))
    pairs = list(zip(*both, strict=True))
    smooth = [pair for pair in pairs if pair[0].is_floating_point()]
    others = [pair for pair in pairs if not pair[0].is_floating_point()]
    return [old for old, _ in smooth], [new for _, new in smooth], others


def _put(places: list[tuple[nn.Module, str]], weights: Iterable[Tensor | None]) -> None:
    for (module, name), weight in zip(places, weights, strict=True):
        module._parameters[name] = weight  # type: ignore[assignment]  # need not be a Parameter


def _average(facts: Facts, told: Facts, share: float) -> Facts:
    if share == 1:
        return told
    return {name: facts.get(name, 0) + share * value for name, value in told.items()}


def _tensors(net: nn.Module) -> Iterable[tuple[str, Tensor]]:
    return chain(net.named_parameters(), net.named_buffers())


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
