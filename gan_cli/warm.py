"""Starting from a trained generator: its weights in new players, and layers of D that stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from gan_cli import strict
from gan_cli.container import Checkpoint
from gan_cli.errors import BadFile, UserMistake
from gan_cli.player import Player


def place(named: str) -> Path:
    """The path that `init_from` names; BadFile where there is nothing."""
    path = Path(named).expanduser()
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if "://" not in named:
            raise BadFile(
                f"init_from: {strict.clean(path, 60)} is not there: a run directory, a checkpoint "
                "or a generator file"
            ) from None
    except (OSError, ValueError):
        pass  # who reads it says why it can't be read
    return path


def start(
    players: dict[str, Player],
    found: Checkpoint,
    path: Path,
    classes: int,
    about: dict[str, Any] | None = None,
) -> list[str]:
    """Give new players the weights of a checkpoint, and say what they got.

    G and its average, and every other player that the file holds; optimisers and what components
    remember start anew. Where the file's generator knows another number of classes than the
    `classes` of this run, what belongs to classes is left as it is. UserMistake when a tensor is
    missing, unknown, or of another shape or type; then no player has changed. `about` is what the
    files of this run say of its components.
    """
    file = _File(found, path, classes, about or {})
    plans = [(player, *file.plan(name, player)) for name, player in players.items()]
    if not file.taken:
        raise UserMistake(f"init_from: {file.path} holds none of {', '.join(players)}")
    for player, net, average in plans:
        player.net.load_state_dict(net)
        if player.average is not None:
            player.average.load_state_dict(average)
    return [file.told(), *file.notes]


def freeze(D: nn.Module, layers: int) -> None:
    """Keep the lowest layers of D as they are: Mo et al. 2020, arXiv 2002.10964 (FreezeD).

    A layer is a module with a weight, in the order of construction, with the norms up to the next
    one. Before D gets its optimiser. ValueError when no layer would be left to learn.
    """
    owners: dict[str, list[nn.Parameter]] = {}
    for name, weight in D.named_parameters():
        bare, inside, _ = name.partition(".parametrizations.")
        owners.setdefault(bare if inside else name.rpartition(".")[0], []).append(weight)
    number, count = 0, sum(map(_weighted, owners.values()))
    if layers and not 0 < layers < count:
        raise ValueError(f"D has {count} layers, and the last one must learn: 0 to {count - 1}")
    for weights in owners.values() if layers else ():
        number += _weighted(weights)
        if number > layers:
            return
        for weight in weights:
            weight.requires_grad_(False)


def _weighted(weights: list[nn.Parameter]) -> bool:
    return any(weight.dim() > 1 for weight in weights)


class _File:
    """A checkpoint, and what new players take of it."""

    def __init__(self, found: Checkpoint, path: Path, classes: int, about: dict[str, Any]):
        self.found, self.path, self.here = found, strict.clean(path), classes
        self.about = about
        space = found.meta.get("space")
        there = space.get("classes") if isinstance(space, dict) else None
        self.there = len(there) if isinstance(there, list) else 0
        self.taken: list[str] = []
        self.notes: list[str] = []

    def told(self) -> str:
        step = self.found.meta.get("step")
        return f"starting from {self.path} (step {step}): {', '.join(self.taken)}"

    def plan(self, name: str, player: Player) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What a player's network and its average are to hold."""
        own = player.net.state_dict()
        frozen = not all(weight.requires_grad for weight in player.net.parameters())
        raw, averaged = self._under(f"{name}/"), self._under(f"{name}_ema/")
        if not raw and not averaged:
            if frozen:
                raise UserMistake(
                    f"init_from: {self.path} holds no {name}, of which freeze_d wants to keep "
                    "layers; a run directory or one of its checkpoints holds all players"
                )
            self.notes.append(f"{self.path} holds no {name}, which starts anew")
            return own, own
        net = self._fitted(f"{name}/", own, raw) if raw else None
        average = self._fitted(f"{name}_ema/", own, averaged) if averaged else net
        self.taken += [n for n, t in ((name, raw), (f"the average of {name}", averaged)) if t]
        assert average is not None
        return net or average, average

    def _under(self, prefix: str) -> dict[str, Tensor]:
        tensors = self.found.tensors.items()
        return {k.removeprefix(prefix): v for k, v in tensors if k.startswith(prefix)}

    def _fitted(
        self, prefix: str, own: dict[str, Tensor], found: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """The file's tensors in the shape of a network's own."""
        for names, said in (
            (own.keys() - found.keys(), "is missing there"),
            (found.keys() - own.keys(), "has no place here"),
        ):
            if names:
                raise self._mistake(f"{_ending(prefix + min(names))} {said}")
        return {name: self._fit(f"{prefix}{name}", own[name], found[name]) for name in own}

    def _fit(self, name: str, own: Tensor, found: Tensor) -> Tensor:
        if (found.shape, found.dtype) == (own.shape, own.dtype):
            return found
        axis = self._classes_along(own, found)
        if axis is None or found.dtype != own.dtype:
            there, here = (
                (tuple(found.shape), tuple(own.shape))
                if found.dtype == own.dtype
                else (found.dtype, own.dtype)
            )
            raise self._mistake(f"{_ending(name)} is {there} there and {here} here")
        fitted, shared = own.clone(), own.shape[axis] - self.here  # classes stand last
        fitted.narrow(axis, 0, shared).copy_(found.narrow(axis, 0, shared))
        which = "starts anew" if shared == 0 else "starts anew in what belongs to classes"
        self.notes.append(f"{name} {which}: {self.there} classes there, {self.here} here")
        return fitted

    def _classes_along(self, own: Tensor, found: Tensor) -> int | None:
        """The one axis along which two shapes differ as the numbers of classes do."""
        if own.dim() != found.dim():
            return None
        differing = [i for i in range(own.dim()) if own.shape[i] != found.shape[i]]
        if len(differing) != 1:
            return None
        (axis,) = differing
        apart = own.shape[axis] - found.shape[axis] == self.here - self.there
        return axis if apart and own.shape[axis] >= self.here else None

    def _mistake(self, what: str) -> UserMistake:
        """That the networks differ: by what one types where that is known, else by the tensor."""
        there = _typed(self.found.meta, "model") | _typed(self.found.meta, "condition")
        here = _typed(self.about, "model") | _typed(self.about, "condition")
        other = [key for key in there if here.get(key, there[key]) != there[key]]
        groups = [key for key in other if "." not in key]  # which bring settings of their own
        apart = [
            f"{k}={there[k]}" for k in other if "." not in k or k.partition(".")[0] not in groups
        ]
        alone = ", or use its generator.safetensors" if self.taken else ""
        said = f"{what}; type that run's settings{alone}"
        if apart:
            told = apart[:2] if len("".join(apart[:2])) < 70 else apart[:1]
            more = f" (and {len(apart) - len(told)} more)" if len(apart) > len(told) else ""
            said = f"type {' '.join(told)} as there{more}"
        return UserMistake(f"init_from: {self._tail(100 - len(said))} is of other networks: {said}")

    def _tail(self, room: int) -> str:
        """The end of the path, so that a line is one a person reads."""
        room = max(room + 20, 24)
        return self.path if len(self.path) <= room else f"…{self.path[1 - room :]}"


def _ending(name: str) -> str:
    """A tensor's player and the end of its name."""
    return name if len(name) <= 30 else f"{name.partition('/')[0]}/…{name[-26:]}"


def _typed(about: dict[str, Any], group: str) -> dict[str, str]:
    """A component as a file describes it, as one types it."""
    said = about.get(group)
    if not isinstance(said, dict):
        return {}
    args = said.get("args")
    inner = args.items() if isinstance(args, dict) else ()
    typed = {group: said.get("name"), **{f"{group}.{key}": value for key, value in inner}}
    return {strict.quote(k, 30): strict.quote(_spelled(v), 30) for k, v in typed.items()}


def _spelled(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value).replace(" ", "").replace("'", "")
