"""Remedies that change the game: losses, penalties, constraints, and what D sees."""

from __future__ import annotations

from gan_cli.doctor import Remedy
from gan_cli.doctor.case import Case
from gan_cli.doctor.pace import spelled

PATIENT = 1e6
"""Images that a run learns from, from which ADA has the time to find its strength."""

SATURATING = frozenset({"minimax"})
"""Losses whose G has no slope where D is sure of its fakes."""

UNBOUNDED = frozenset(
    {"maximum_likelihood", "fgan_kl", "fgan_pearson", "fgan_neyman", "fgan_jeffreys"}
)
"""Losses that grow as fast as the exponential of D's output, or faster."""

LOSS = ("loss", "penalty", "constraint", "n_critic", "optimizer.betas")
"""What a loss brings by itself, and what was typed for another one would be in the way of."""


def not_saturating(case: Case) -> Remedy | None:
    """G's loss that has a slope where D is sure."""
    reason = (
        "where D is sure of a fake, log(1 - D(G(z))) has no slope left for G to follow, and "
        "-log D(G(z)) has its steepest"
    )
    source = "Goodfellow et al. 2014, arXiv 1406.2661, section 3"
    if case.config.get("loss.saturating") is True:
        return Remedy(("loss.saturating=false",), reason, source)
    if case.entry("loss") in SATURATING:
        return Remedy(("loss=nonsaturating",), reason, source, ("loss",))
    return None


def penalty_instead_of_clipping(case: Case) -> Remedy | None:
    """The gradient penalty, where weights are clipped."""
    if case.entry("constraint") != "clip":
        return None
    return Remedy(
        ("loss=wgan_gp",),
        "clipped weights leave a critic with next to no slope, which is all that G learns from; a "
        "price on its slope keeps that at 1",
        "Gulrajani et al. 2017, arXiv 1704.00028, section 3",
        LOSS,
    )


def annealed_noise(case: Case) -> Remedy | None:
    """Noise on all that D sees, less and less of it."""
    if case.entry("augment") != "none" or not case.judged:
        return None
    return Remedy(
        ("augment=instance_noise_annealed",),
        "real and fake samples don't meet, so that D can be sure of all; under noise they do",
        "Sønderby et al. 2016, arXiv 1610.04490, section 3",
    )


def not_exponential(case: Case) -> Remedy | None:
    """A loss that doesn't grow exponentially in D's output."""
    if case.choices.get("loss") not in UNBOUNDED:
        return None
    return Remedy(
        ("loss=nonsaturating",),
        "this loss grows like the exponential of D's output, or faster; this one like D's output",
        "Nowozin et al. 2016, arXiv 1606.00709, section 2.3",
        ("loss",),
    )


def less_steep(case: Case) -> Remedy | None:
    """A price on D's slope at real samples, or a greater one."""
    if not case.judged or case.linear:
        return None
    source = "Mescheder et al. 2018, arXiv 1801.04406, equation 9"
    for name in case.slopes:
        gamma = case.number(f"penalty.{name}.gamma", 0.0)
        if gamma:
            change = f"penalty.{name}.gamma={spelled(10 * gamma)}"
            reason = "D pays too little for being steep: ten times as much"
            return Remedy((change,), reason, source)
    if case.slopes:
        return None
    names = ",".join([*case.penalties, case.r1])
    return Remedy(
        (f"penalty=[{names}]",),
        "a D that pays for its slope at the data can't be sure of everything, and tells G the way "
        "from further off",
        source,
        ("critic_norm", "model.d_norm"),
    )


def spectral(case: Case) -> Remedy | None:
    """A D whose layers stretch nothing."""
    if case.entry("constraint") != "free" or not case.judged:
        return None
    return Remedy(
        ("constraint=spectral",),
        "no layer of D stretches anything, so its slope and its weights stay bounded",
        "Miyato et al. 2018, arXiv 1802.05957, section 2.1",
        ("critic_norm", "model.d_norm"),
    )


def augmented(case: Case) -> Remedy | None:
    """D sees images turned, moved and coloured, the more the more it overfits."""
    if case.points or not case.judged or case.entry("augment") not in ("none", "instance_noise"):
        return None
    name = "diffaugment" if case.linear or case.images < PATIENT else "ada"
    source = {
        "ada": "Karras et al. 2020, arXiv 2006.06676, section 3",
        "diffaugment": "Zhao et al. 2020, arXiv 2006.10738, section 3.3",
    }
    return Remedy(
        (f"augment={name}",),
        "D sees each image moved and changed, so it can't know its few ones by heart",
        source[name],
    )


def lecam(case: Case) -> Remedy | None:
    """D's outputs stay near their running means."""
    if "lecam" in case.penalties or case.linear or not case.judged:
        return None
    names = ",".join([*case.penalties, "lecam"])
    return Remedy(
        (f"penalty=[{names}]",),
        "D pays for outputs far from what it said before of the other kind: made for few data",
        "Tseng et al. 2021, arXiv 2104.03310, equation 4",
    )


def consistent(case: Case) -> Remedy | None:
    """D says the same of an image that is moved a little."""
    if case.points or "cr" in case.penalties or not case.judged:
        return None
    names = ",".join([*case.penalties, "cr"])
    return Remedy(
        (f"penalty=[{names}]",),
        "D pays for saying something else of the same image, moved a little",
        "Zhang et al. 2020, arXiv 1910.12027, equation 2",
    )


def packed(case: Case) -> Remedy | None:
    """D judges several samples together."""
    if case.number("pack", 1) > 1 or case.slopes or not case.judged:  # a slope of one sample
        return None
    return Remedy(
        ("pack=4",),
        "a D that sees four samples at once sees that they are alike",
        "Lin et al. 2018, arXiv 1712.04086, section 2",
    )


def diverse(case: Case) -> Remedy | None:
    """Answers that differ with z, where an image is given."""
    asked = case.entry("task")
    if asked in ("", "unconditional", "label", "semi") or "diversity" in _terms(case):
        return None
    names = ",".join([*_terms(case), "diversity"])
    return Remedy(
        (f"term=[{names}]",),
        "nothing but this tells a G that is given an image to use its z as well",
        "Mao et al. 2019, arXiv 1903.05628, equation 3",
    )


def _terms(case: Case) -> list[str]:
    keys = (key.split(".") for key in case.config if key.startswith("term."))
    return list(dict.fromkeys(words[1] for words in keys if len(words) > 2))


def relativistic(case: Case) -> Remedy | None:
    """Pairs of real and fake, with both slopes charged for."""
    if case.choices.get("loss") in ("r3gan", "rsgan") or not case.judged:
        return None
    return Remedy(
        ("loss=r3gan",),
        "D compares pairs of a real and a fake sample: no mode of the data can be left to itself",
        "Huang et al. 2024, arXiv 2501.05441, section 2",
        LOSS,
    )


def wasserstein(case: Case) -> Remedy | None:
    """A critic that tells how far, with a price on its slope."""
    if case.linear or not case.judged:
        return None
    return Remedy(
        ("loss=wgan_gp",),
        "a critic that tells how far fakes are from the data, not only that they are fake",
        "Gulrajani et al. 2017, arXiv 1704.00028, algorithm 1",
        LOSS,
    )
