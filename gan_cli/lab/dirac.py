"""Which games converge? The Dirac-GAN: one number against one slope.

Mescheder, Geiger and Nowozin 2018, arXiv 1801.04406, sections 2 and 3. The data are a point at 0, G
is a point at θ, and D(x) = ψx. At the equilibrium θ = ψ = 0; whether a method gets there can be
seen by eye and, close by, is said by the eigenvalues of the game. Start: distance √2, learning rate
0.2, gradient descent without momentum, as in the authors' notebook. Everything runs through the
players, losses, penalties and dynamics that train images.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gan_cli.lab import Cell, Claim, Picture, Report, Say, Table, close, same
from gan_cli.lab.dirac_game import eigenvalue, field_of, setup, trajectory
from gan_cli.lab.dirac_picture import Path, Portrait, film_of, portraits, radii

STEPS = 500
NEAR = 0.05
"""Closer than this to the equilibrium after all steps, the game has converged."""


@dataclass(frozen=True)
class Method:
    """A way to play, and what is known of it.

    `converges` is what the paper says. `known` are distances to the equilibrium: both at once after
    100 and after 500 steps, D then G after 500, and the last with five updates of D a step. They
    come from the derivatives taken by hand, as in the authors' notebook (which lets G move first).
    `largest` is the largest |λ| of a step of both at once at the equilibrium.
    """

    name: str
    overrides: tuple[str, ...]
    converges: bool
    known: tuple[str, ...] = ()
    largest: float | None = None


def _of_rotation(gamma: float = 0.0, slope: float = 0.5) -> float:
    """|1 + hλ|, h = 0.2, λ = -γ/2 ± √(γ²/4 - f'(0)²): Lemma 3.2's eigenvalues; R1 adds the γ."""
    root = complex(gamma**2 / 4 - slope**2) ** 0.5
    return max(abs(1 + RATE * (-gamma / 2 + sign * root)) for sign in (1, -1))


RATE = 0.2
R1 = ("penalty=r1", "penalty.r1.gamma=0.3")
METHODS = (
    Method(
        "GAN",
        ("loss=minimax",),
        False,
        ("1.96262", "3.09695", "1.41260", "1.70978"),
        _of_rotation(),
    ),
    Method(
        "non-saturating GAN",
        ("loss=nonsaturating",),
        False,
        (".741471", ".640207", ".270630", ".156447"),
        _of_rotation(),
    ),
    Method(
        "WGAN, weights clipped",
        ("loss=wgan", "constraint.bound=1.0"),
        False,
        ("1.27244", "1.00215", ".984644", "1.00330"),
        _of_rotation(slope=1.0),
    ),
    Method(
        "WGAN-GP",
        ("loss=wgan_gp", "penalty.gp.weight=0.35"),  # the notebook's λ of 0.7 is of half the square
        False,
        ("1.79928", "1.80179", "1.28015", ".720205"),
    ),
    Method(
        "GAN + instance noise",
        ("loss=minimax", "augment=instance_noise", "augment.std=0.7", "batch_size=1024"),
        True,
    ),
    Method(
        "GAN + R1, γ = 0.3",
        ("loss=minimax", *R1),
        True,
        (".0989894", "2.64266e-6", "2.38270e-7", "9.11695e-34"),
        _of_rotation(gamma=0.3),
    ),
    Method(
        "GAN + R1, γ = 1",
        ("loss=minimax", "penalty=r1", "penalty.r1.gamma=1.0"),
        True,
        ("3.79e-4", "9.53e-22", "8.49e-17", "5.40318e-12"),
        _of_rotation(gamma=1.0),
    ),
    Method(
        "non-saturating + R1, γ = 0.3",
        ("loss=nonsaturating", *R1),
        True,
        (".0766", "2.21e-6", "1.64e-7", "5.06663e-34"),
        _of_rotation(gamma=0.3),
    ),
    Method(
        # the notebook halves one term of the gradient of ½‖v‖²; known here from the whole of it
        "GAN + consensus, γ = 1",
        ("loss=minimax", "dynamics=consensus", "dynamics.gamma=1.0"),
        True,
        (".0231620", "2.57855e-10"),
        abs(1 + RATE * complex(-0.25, 0.5)),
    ),
)


@dataclass(frozen=True)
class Played:
    """What a method did: its trajectories, one step from each point of a lattice, and |λ|."""

    method: Method
    simultaneous: Path
    alternating: Path | None
    five: Path | None
    field: Path
    largest: float | None

    @property
    def converged(self) -> bool:
        """Whether it came close to the equilibrium, however it was played."""
        paths = (self.simultaneous, self.alternating, self.five)
        return all(distance(path) < NEAR for path in paths if path is not None)

    @property
    def distances(self) -> tuple[float | None, ...]:
        """Those that `Method.known` is about, None where it was not played so."""
        first = distance(self.simultaneous, 100)
        paths = (self.simultaneous, self.alternating, self.five)
        return (first, *(None if path is None else distance(path) for path in paths))

    @property
    def portrait(self) -> Portrait:
        """What there is to draw."""
        both, turns = self.simultaneous, self.alternating
        return Portrait(self.method.name, both, turns, self.field, self.converged)


def run(quick: bool, seed: int, say: Say) -> Report:
    """Play every method; `quick` leaves out five updates of D a step, and the animation."""
    played = []
    for number, method in enumerate(METHODS, 1):
        say(f"{number}/{len(METHODS)} {method.name}")
        played.append(_play(method, seed, five=not quick))
    shown = [one.portrait for one in played]
    pictures = [
        Picture("portraits.png", portraits(shown), "phase portraits of every method"),
        Picture("distance.png", radii(shown), "distance to the equilibrium over the steps"),
    ]
    if not quick:
        say("drawing the animation")
        pictures.append(Picture("portraits.webp", film_of(shown), "every method as it goes"))
    claims = tuple(claim for one in played for claim in _claims(one))
    return Report("The Dirac-GAN", (_table(played),), tuple(pictures), claims, WORDS)


WORDS = (
    "Two players who follow their own gradients do not go downhill: around the equilibrium they "
    "circle it (the eigenvalues are imaginary), and steps of finite length carry them outwards. "
    "Clipping D, or asking for the slope 1, replaces the circle by another; a slope of 1 is not "
    "what the equilibrium has. What brings the game to rest is a price on D's slope where the data "
    "are (R1) or the same by noise, because there D must end flat. Try it on a training: "
    "penalty=r1."
)


def distance(path: Path, step: int = STEPS) -> float:
    """√(θ² + ψ²) after so many steps."""
    return float(np.hypot(*path[step]))


def rounded(number: float, like: str) -> str:
    """A number with as many significant digits as a known one."""
    mantissa = like.partition("e")[0]
    digits = len(re.sub(r"^[0.]+|\.", "", mantissa))
    return f"{number:#.{digits}g}".rstrip(".")


def _play(method: Method, seed: int, five: bool) -> Played:
    at_once = () if _own_dynamics(method) else ("dynamics=simultaneous",)
    ways = {"both": at_once}
    if at_once:
        ways |= {"turns": ()} | ({"five": ("n_critic=5",)} if five else {})
    paths = {
        name: trajectory(setup(*method.overrides, *more, steps=STEPS, seed=seed), seed)
        for name, more in ways.items()
    }
    probe = setup(*method.overrides, *at_once, steps=STEPS, seed=seed)
    largest = None if method.largest is None else eigenvalue(probe)
    turns, five_turns = paths.get("turns"), paths.get("five")
    return Played(method, paths["both"], turns, five_turns, field_of(probe), largest)


def _own_dynamics(method: Method) -> bool:
    return any(text.startswith("dynamics=") for text in method.overrides)


def _claims(played: Played) -> list[Claim]:
    method = played.method
    said = {True: "yes", False: "no"}
    claims = [same(f"{method.name}: converges", said[method.converges], said[played.converged])]
    pairs = zip(method.known, played.distances, strict=False)
    both = [(known, seen) for known, seen in pairs if seen is not None]
    if both:
        known = ", ".join(rounded(float(text), text) for text, _ in both)
        seen = ", ".join(rounded(number, text) for text, number in both)
        claims.append(same(f"{method.name}: distances to all digits known", known, seen))
    if method.largest is not None and played.largest is not None:
        text = f"{method.name}: largest |λ| of a step at the equilibrium"
        claims.append(close(text, method.largest, played.largest, 1e-4))
    return claims


def _table(played: Sequence[Played]) -> Table:
    ways = ("at once, 100 steps", "at once, 500", "D then G, 500", "5 × D then G, 500")
    shown = [i for i in range(4) if any(one.distances[i] is not None for one in played)]
    head = ("method", *(ways[i] for i in shown), "|λ| known", "|λ| seen", "converges")
    rows: list[tuple[Cell, ...]] = [
        (
            one.method.name,
            *(one.distances[i] for i in shown),
            one.method.largest,
            one.largest,
            one.converged,
        )
        for one in played
    ]
    return Table("Distance to the equilibrium, √2 at the start", head, tuple(rows), digits=6)
