"""What a code does: samples in which it alone changes, from row to row."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.errors import UserMistake
from gan_cli.prior import Prior
from gan_cli.prior.layout import Coded, Layout
from gan_cli.sampler import Sampler

FARTHEST = 2.0
"""How far a continuous code goes, both ways (Chen et al. 2016, arXiv 1606.03657, figure 2)."""

ROWS = 9
"""Values of a continuous code."""

MOST = 256
"""Categories that are shown, at most."""


def sweep(prior: Prior, z: Tensor, code: int) -> Tensor:
    """Latent codes in which one code takes each of its values, `(n, dim) -> (rows, n, dim)`.

    Codes are counted from 0: the categorical ones, each category a row, then the continuous ones,
    from -2 to 2. Of a prior without codes, each number of z is a continuous one. Raises
    UserMistake for a code that there isn't, or one of over 256 categories.
    """
    layout = prior.layout if isinstance(prior, Coded) else Layout((), z.shape[1])
    sizes, count = layout.categories, len(layout.categories) + layout.continuous
    if code not in range(count):
        raise UserMistake(f"--sweep {code}: z has the codes 0 to {count - 1}")
    if code < len(sizes) and sizes[code] > MOST:
        raise UserMistake(f"--sweep {code}: {sizes[code]} categories are too many for a picture")
    if code < len(sizes):
        start, size = sum(sizes[:code]), sizes[code]
        values = torch.eye(size, dtype=z.dtype)
    else:
        start, size = sum(sizes) + code - len(sizes), 1
        values = torch.linspace(-FARTHEST, FARTHEST, ROWS, dtype=z.dtype)[:, None]
    rows = z.expand(len(values), *z.shape).clone()
    rows[:, :, start : start + size] = values.to(z.device)[:, None]
    return rows


def rows(sampler: Sampler, code: int, columns: int, seed: int) -> Tensor:
    """Samples of a sweep, row by row, `(rows × columns, …)`: a column shares the rest of z.

    Of a generator of classes, each column is of a class, in turn.
    """
    numbers = range(columns)
    swept = sweep(sampler.prior, sampler.codes(numbers, seed), code)
    return torch.cat([sampler.generate(z, sampler.labels(numbers)) for z in swept])
