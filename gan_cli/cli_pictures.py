"""The curves of compared runs in one picture, and samples of the same noise beside each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from gan_cli import disk
from gan_cli.errors import GanError, UserMistake
from gan_cli.fast import pick_device
from gan_cli.plot.grid import Pixels, default_scale, png
from gan_cli.plot.labelled import table
from gan_cli.plot.overlaid import Trace, clouds, overlaid, shortened
from gan_cli.sampler import Sampler
from gan_cli.strict import clean
from gan_cli.study.averaged import Course, averaged, finite
from gan_cli.study.brief import brief
from gan_cli.study.folder import Folder
from gan_cli.study.leaderboard import Board, Group
from gan_cli.study.reach import along
from gan_cli.study.result import course

MOST = 12
"""Groups in a picture, at most: the first of the table."""

PANELS = 4
"""Figures in a picture, at most."""

TRIED = 3
"""Runs of a group that are looked at for a generator, at most."""

COLUMNS, POINTS = 10, 1000
"""Images of each run, or points."""

SEED = 0
"""The noise is the same in every picture."""


def curves(board: Board, path: Path, over: str, names: Sequence[str]) -> list[str]:
    """Draw the figures named, or else the first; what there is to say about the picture.

    UserMistake where no run measured them more than once.
    """
    shown = list(names[:PANELS]) or [figure.name for figure in board.figures[:1]]
    groups = _named(board)
    panels = {name: _traces(groups, name, over) for name in shown}
    panels = {name: traces for name, traces in panels.items() if traces}
    if not panels:
        told = ", ".join(shown) or "a figure"
        raise UserMistake(
            f"--curves: no run has {clean(told)} over its steps; a figure of its losses, as "
            "--figures loss/g, or train with metric=frechet"
        )
    said = "thin lines are runs, thick ones their mean, bands one deviation over seeds"
    picture = overlaid(panels, over, _title(board, groups.values()), said)
    _keep(picture, path)
    drawn = max(map(len, panels.values()))
    missing = [f"no course of {clean(name)} over {over}" for name in shown if name not in panels]
    return [*missing, f"{clean(path)}: curves of {drawn} of {len(board.groups)} groups"]


def _named(board: Board) -> dict[str, Group]:
    """The groups of a picture, by what tells them apart."""
    groups = board.groups[:MOST]
    return dict(zip(map(clean, brief(groups, board.columns)), groups, strict=True))


def _title(board: Board, groups: Collection[Group]) -> str:
    runs = sum(len(group.results) for group in groups)
    few = "" if len(groups) == len(board.groups) else f", the first of {len(board.groups)}"
    return f"{runs} runs in {len(groups)} groups{few}"


def _traces(groups: Mapping[str, Group], name: str, over: str) -> list[Trace]:
    """A figure of these groups, by their names, of those whose runs have a course of it."""
    found = []
    for called, group in groups.items():
        courses = [_course(result.folder, name, over) for result in group.results]
        known = [one for one in map(finite, courses) if len(one.at) > 1]
        if known:
            mean = averaged(known)
            lines = [(one.at, one.values) for one in known]
            found.append(Trace(called, lines, mean.at, mean.mean, mean.deviation))
    return found


def _course(folder: Folder, name: str, over: str) -> Course:
    """A figure of a run along its steps, images or seconds; in order, each place once."""
    far = along(folder, over)
    told = {far(step): one.value for step, one in course(folder, name)}
    known = sorted((at, value) for at, value in told.items() if at is not None)
    return Course(tuple(at for at, _ in known), tuple(value for _, value in known))


def grids(board: Board, path: Path, device: str) -> list[str]:
    """Draw samples of a run of each group, column by column of the same noise; what there is to
    say about the picture.

    The run is the first of its group whose generator can be read. UserMistake where none can.
    """
    groups, where, notes = _named(board), pick_device(device), list[str]()
    drawn: dict[str, Drawn] = {}
    for name, group in groups.items():
        said = ""
        for result in group.results[:TRIED]:
            try:
                drawn[name] = _draw(result.folder, where)
                break
            except GanError as error:
                said = str(error)
        else:
            notes.append(f"no samples of {name}: {clean(said)}")
    if not drawn:
        raise UserMistake("\n".join(["--grids: no generator to draw from", *notes]))
    first = next(iter(drawn.values()))
    alike = {name: one for name, one in drawn.items() if one.x.shape == first.x.shape}
    notes += [f"samples of another shape are left out: {n}" for n in drawn if n not in alike]
    other = [name for name, one in alike.items() if not one.same(first)]
    notes += [f"made of other noise than the first: {'; '.join(other[:3])}"] if other else []
    _keep(_picture({name: one.x for name, one in alike.items()}), path)
    return [*notes, f"{clean(path)}: samples of {len(alike)} of {len(board.groups)} groups"]


class Drawn(NamedTuple):
    """Samples `(N, …)`, and the codes `(N, z_dim)` they were made of."""

    x: torch.Tensor
    z: torch.Tensor

    def same(self, other: Drawn) -> bool:
        """Whether both were made of the same noise."""
        return torch.equal(self.z, other.z)


def _draw(folder: Folder, device: torch.device) -> Drawn:
    """Samples of a run's newest generator. Raises GanError."""
    sampler = Sampler.load(folder.path, device)
    if sampler.space.given:
        raise UserMistake("it wants an image for each: gan sample --input")
    n = COLUMNS if len(sampler.space.shape) == 3 else POINTS
    return Drawn(sampler.sample(n, SEED), sampler.codes(range(n), SEED))


def _picture(drawn: dict[str, torch.Tensor]) -> Pixels:
    first = next(iter(drawn.values()))
    if first.dim() == 4:
        scale = default_scale(first.shape[2], first.shape[3], COLUMNS)
        rows = [shortened(name) for name in drawn]
        return table(torch.cat(list(drawn.values())), COLUMNS, scale, rows)
    points = {
        name: np.pad(x[:, :2].numpy().astype(np.float64), ((0, 0), (0, 2 - min(2, x.shape[1]))))
        for name, x in drawn.items()
    }
    return clouds(points, "Samples of the same noise", f"{POINTS:,} points of each generator")


def _keep(picture: Pixels, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk.failure(path, error) from error
    disk.replace(path, png(picture, {}))
