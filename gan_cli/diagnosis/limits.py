"""Where a light turns yellow, and where red."""

from __future__ import annotations

from dataclasses import dataclass

from gan_cli.diagnosis import Light


@dataclass(frozen=True)
class Limit:
    """Two limits of one number; `falls` where less is worse."""

    yellow: float
    red: float

    @property
    def falls(self) -> bool:
        """Whether less is worse."""
        return self.red < self.yellow

    def light(self, value: float) -> Light:
        """The light of a value: a limit that is met is crossed."""
        sign = -1 if self.falls else 1
        crossed = (sign * value >= sign * limit for limit in (self.yellow, self.red))
        return Light(sum(crossed))

    def next_to(self, light: Light) -> float:
        """The limit that a value of this light has crossed, or would cross first."""
        return self.red if light is Light.RED else self.yellow


@dataclass(frozen=True)
class Limits:
    """The limits of every sign.

    A sign is red only when it was yellow or red at the look before as well, and those of samples
    never at the first `grace` looks: `signs` sees to it.

    diversity: the mean distance between samples over that between real ones (of one class, where
    classes are asked for). duplicates: the share of samples with another one nearer than a quarter
    of what real ones usually have (their median), less the same share of real ones. classes: how
    many classes samples fall into (the exponential of the entropy), over the same of real ones; a
    sample is of the class of the nearest real one, or of the nearest mode.

    vanishing: the norm of G's gradient, over the greater of its first and its usual one, while D
    is `sure`; or, where that is less, how steep G's loss is in D's outputs on fakes, over how steep
    it would be if these passed for real: so one that was dead from the start is seen too. sure: the
    area under D's ROC curve (the share of pairs of a real and a fake that D puts in the right
    order), a mean over `window` looks.

    overpowering: looks in a row at which D was sure and samples came no nearer to the data, by a
    share `progress` of the energy distance. near: an energy distance below which they need not
    any more.

    overfitting: r_v of Karras et al. 2020, arXiv 2006.06676, equation 1: how far D tells held-out
    samples from those it learns from, over how far it tells fakes from them; a mean over `window`
    looks.

    gradients, weights: a norm over its median so far, or of weights over what it was at first where
    that is more, of the player that is worst.
    """

    diversity: Limit = Limit(0.6, 0.35)
    duplicates: Limit = Limit(0.25, 0.5)
    classes: Limit = Limit(0.6, 0.35)
    vanishing: Limit = Limit(0.05, 0.005)
    overpowering: Limit = Limit(4, 8)
    overfitting: Limit = Limit(0.5, 0.8)
    gradients: Limit = Limit(10.0, 100.0)
    weights: Limit = Limit(6.0, 20.0)
    sure: float = 0.98
    progress: float = 0.1
    near: float = 0.05
    window: int = 3
    grace: int = 3
