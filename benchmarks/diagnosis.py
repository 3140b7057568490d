"""How often a light is wrong: healthy runs that it turns on in, and provoked failures it misses.

    python benchmarks/diagnosis.py                # all, in twenty minutes of one core
    python benchmarks/diagnosis.py ring fast-g    # some of it; the rest is kept
    python benchmarks/diagnosis.py tables         # nothing is trained, what was seen is read anew

trains short runs, follows the first advice of `gan doctor` in each failure, writes what was
measured at each look into benchmarks/results/diagnosis.json, and prints the tables of
docs/diagnosis.md: the lights that these looks have under the limits of today. MNIST is looked for
where GAN_DATA says.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gan_cli import cli
from gan_cli.diagnosis import COLLAPSE, Light, Look, light
from gan_cli.diagnosis.signs import replay
from gan_cli.doctor.history import seen
from gan_cli.study.folder import Folder

RESULTS = Path(__file__).parent / "results" / "diagnosis.json"
EVERY = 100
COMMON = ("hardware.threads=1", "tensorboard=false", "sample_every=100000", "log_every=20")

TOY = "batch_size=128 optimizer=adam_toy schedule=linear_late ema.half_life=20000"
DIGITS = "dataset=digits dataset.split=train model=mlp"
KNOWN = (
    f"{DIGITS} model.z_dim=32 penalty=[r1_small_lazy] optimizer=adam_r1 optimizer.lr=0.002 "
    "schedule=linear_late"
)
UNMEASURED = ("", "overfit")
"""Figures that are no metric's: r_v is that of the looks."""

SMALL = "dataset=digits dataset.split=train model=dcgan model.width=16"
DCGAN = "dataset=mnist model=dcgan model.width=16"


@dataclass(frozen=True)
class Trial:
    """A run: its command, the signs that should turn on (none in a healthy one), its figure."""

    name: str
    words: str
    signs: tuple[str, ...] = ()
    figure: str = "frechet"
    every: int = EVERY

    @property
    def overrides(self) -> list[str]:
        """The words of the command."""
        return shlex.split(self.words)


HEALTHY = (
    Trial("ring", f"dataset=ring penalty=r1_toy {TOY} steps=1500", figure="modes"),
    Trial("ring-lsgan", f"dataset=ring loss=lsgan penalty=r1_toy {TOY} steps=1500", figure="modes"),
    Trial("grid25", f"dataset=grid25 penalty=r1_toy {TOY} steps=1500", figure="modes"),
    Trial("moons", f"dataset=moons penalty=r1_toy {TOY} steps=1000", figure=""),
    Trial(
        "two-gaussians", f"dataset=two_gaussians n_critic=5 {TOY} steps=600", figure="divergence"
    ),
    Trial("digits-r1", f"{KNOWN} steps=1500"),
    Trial("digits-r1-seed-1", f"{KNOWN} steps=1500 seed=1"),
    Trial("digits-hinge", f"{DIGITS} loss=hinge optimizer.lr=0.001 n_critic=2 steps=1000"),
    Trial("digits-wgan-gp", f"{DIGITS} loss=wgan_gp optimizer.lr=0.001 steps=700"),
    Trial("digits-lsgan", f"{KNOWN} loss=lsgan steps=1500"),
    Trial("digits-label", f"{KNOWN} task=label steps=1500"),
    Trial("digits-rsgan", f"{KNOWN} loss=rsgan steps=1000"),
    Trial(
        "digits-vae",
        f"{DIGITS} model.z_dim=32 method=vae optimizer.lr=0.002 schedule=linear_late steps=1500",
    ),
    Trial("digits-dcgan", f"{SMALL} steps=800"),
    Trial("mnist-dcgan", f"{DCGAN} steps=500"),
    Trial("mnist-lsgan", f"{DCGAN} loss=lsgan steps=500"),
    Trial("mnist-spectral", f"{DCGAN} loss=hinge n_critic=1 optimizer.lr=0.001 steps=500"),
)

FAILURES = (
    Trial(
        "slow-d",
        "dataset=ring dataset.std=0.02 optimizer=adam_toy optimizer.d_lr=0.0001 batch_size=128 "
        "steps=1000 ema.half_life=0",
        COLLAPSE,
        "modes",
    ),
    Trial("fast-g", f"{KNOWN} optimizer.lr=0.04 optimizer.d_lr=0.002 steps=1000", COLLAPSE),
    Trial(
        "fast-d",
        f"{DCGAN} optimizer.d_lr=0.01 steps=400",
        ("overpowering", "vanishing", *COLLAPSE),
        every=25,
    ),
    Trial(
        "minimax-5",
        f"{DCGAN} loss=minimax n_critic=5 steps=200",
        ("vanishing", "overpowering", *COLLAPSE),
        every=20,
    ),
    Trial(
        "vanishing-mnist",
        f"{DCGAN} loss=minimax head_start.d=200 steps=500",
        ("vanishing", "overpowering", *COLLAPSE),
    ),
    Trial(
        "overfitting",
        f"{KNOWN} penalty.r1_small_lazy.gamma=0.001 steps=4000",
        ("overfitting",),
        "overfit",
        200,
    ),
    Trial(
        "exploding",
        f"{SMALL} loss=fgan_pearson optimizer.lr=0.3 steps=600",
        ("gradients", "weights", "finite"),
        every=20,
    ),
    Trial(
        "fast-both",
        f"{SMALL} loss=lsgan optimizer.lr=0.3 steps=600",
        ("gradients", "weights", "finite", *COLLAPSE),
    ),
    Trial("nan", f"{SMALL} loss=lsgan optimizer.lr=1e30 steps=600", ("finite",)),
    Trial(
        "clipped",
        "dataset=ring loss=wgan optimizer.lr=0.001 steps=1000",
        ("vanishing", *COLLAPSE),
        "modes",
    ),
)


@dataclass
class Told:
    """What came of a run: how it ended, its figures, and what was measured at each look."""

    command: str
    state: str
    step: int
    seconds: float
    figures: dict[str, float]
    looks: list[dict[str, float]]


def train(overrides: list[str], trial: Trial, place: Path) -> tuple[Told, Path]:
    """Run it, quietly, and read what was noticed."""
    place = Path(tempfile.mkdtemp(dir=place))  # two failures can have the same cure
    asked = [*overrides, *COMMON, f"diagnose.every={trial.every}"]
    if trial.figure not in UNMEASURED:
        asked += [f"metric=[{trial.figure}]", "evaluate_every=100000", "evaluate_n=2000"]
    begun, heard = time.process_time(), io.StringIO()
    with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
        code = cli.main(["train", *asked, f"outputs={place}"])
    made = [path for path in place.iterdir() if (path / "run.json").is_file()]
    if len(made) != 1:
        raise RuntimeError(f"{shlex.join(asked)} ended with {code}: {heard.getvalue()[-800:]}")
    told = read(made[0], shlex.join(["gan", "train", *overrides]))
    told.seconds = round(time.process_time() - begun, 1)
    return told, made[0]


def read(path: Path, command: str) -> Told:
    """What a run directory says."""
    folder = Folder(path)
    kept = [look for look, _ in seen(folder)[0]]
    scores = folder.scores
    figures = {n: short(f.value) for n, f in scores.figures.items()} if scores else {}
    if kept and "distance" in kept[-1].measured:
        figures["energy distance"] = short(kept[-1].measured["distance"])
    looks = [{"step": k.step} | {n: short(v) for n, v in k.measured.items()} for k in kept]
    status = folder.status
    return Told(command, status.state, status.step, 0.0, figures, looks)


def short(value: float) -> float:
    """A number of five digits."""
    return float(f"{value:.5g}")


def advice(path: Path) -> str:
    """The first command of `gan doctor`; '' where it has none."""
    heard = io.StringIO()
    with contextlib.redirect_stdout(heard):
        cli.main(["doctor", str(path), "--format", "json"])
    found = json.loads(heard.getvalue())["advice"]
    return str(found[0]["command"]) if found else ""


def cured(command: str, trial: Trial, place: Path) -> Told:
    """The run of a command of the doctor, with the same looks and figures."""
    own = {"diagnose.every", "metric", "evaluate_every", "evaluate_n", "outputs"}
    own |= {word.partition("=")[0] for word in COMMON}
    words = [word for word in shlex.split(command)[2:] if word.partition("=")[0] not in own]
    return train(words, trial, place)[0]


def main(asked: list[str]) -> None:
    """Run the trials asked for, or all of them, and write down what came of them."""
    found: dict[str, Any] = {"every": EVERY, "healthy": {}, "failures": {}}
    if asked and RESULTS.is_file():
        found = json.loads(RESULTS.read_text())
        keep(found)
    with tempfile.TemporaryDirectory() as scratch:
        for kind, trials in (("healthy", HEALTHY), ("failures", FAILURES)):
            for trial in trials:
                if not asked or trial.name in asked or kind in asked:
                    found[kind][trial.name] = one(trial, Path(scratch))
                    keep(found)
    sys.stdout.write(tables(found))


def one(trial: Trial, place: Path) -> dict[str, Any]:
    """A run, and of a provoked failure the first advice, and what comes of that."""
    told, path = train(trial.overrides, trial, place)
    say(trial.name, told)
    if not trial.signs:
        return asdict(told)
    command, then = advice(path), None
    if command:
        then = cured(command, trial, place)
        say(f"  {then.command}", then)
    kept = {"expected": trial.signs, "figure": trial.figure, "told": asdict(told)}
    return kept | {"then": then and asdict(then)}


def keep(found: dict[str, Any]) -> None:
    """Write down what there is so far, in the order of the trials."""
    order = [trial.name for trial in (*HEALTHY, *FAILURES)]
    for kind in ("healthy", "failures"):
        known = [name for name in order if name in found[kind]]
        found[kind] = {name: found[kind][name] for name in known}
    text = json.dumps(found, indent=1)
    text = re.sub(r"\{\n\s+(\"step\".*?)\n\s+\}", _line, text, flags=re.DOTALL)
    RESULTS.write_text(text + "\n")


def _line(look: re.Match[str]) -> str:
    return "{" + " ".join(look[1].split()) + "}"


@dataclass(frozen=True)
class Lights:
    """How many looks are yellow and red, and of each sign that is ever on the first of either."""

    yellow: int
    red: int
    first: dict[str, dict[str, int]]

    @classmethod
    def of(cls, told: dict[str, Any]) -> Lights:
        """Those that the looks at a run have under the limits of today."""
        looks = [
            Look(int(n["step"]), {k: v for k, v in n.items() if k != "step"}) for n in told["looks"]
        ]
        lights, first = [], {}
        for look, signs in zip(looks, replay(looks), strict=True):
            lights.append(light(signs))
            for name, sign in signs.items():
                if sign.light is not Light.GREEN:
                    first.setdefault(name, {}).setdefault(sign.light.word, look.step)
        return cls(lights.count(Light.YELLOW), lights.count(Light.RED), first)


def say(name: str, told: Told) -> None:
    """Tell it while the others run."""
    lights = Lights.of(asdict(told))
    sys.stderr.write(
        f"{name}: {told.state} {told.seconds:.0f} s, {len(told.looks)} looks {lights.yellow} "
        f"yellow {lights.red} red {lights.first} {told.figures}\n"
    )


def tables(found: dict[str, Any]) -> str:
    """What docs/diagnosis.md shows, in Markdown."""
    lines = ["| healthy run | looks | yellow | red | which |", "|---|--:|--:|--:|---|"]
    total, runs = [0, 0, 0], [0, 0]
    for name, told in found["healthy"].items():
        lights = Lights.of(told)
        counts = [len(told["looks"]), lights.yellow, lights.red]
        total = [a + b for a, b in zip(total, counts, strict=True)]
        runs = [runs[0] + (lights.yellow + lights.red > 0), runs[1] + (lights.red > 0)]
        which = "; ".join(f"{sign} at {min(at.values())}" for sign, at in lights.first.items())
        lines.append(f"| `{name}` | {' | '.join(map(str, counts))} | {which} |")
    lines += [f"| all {len(found['healthy'])} | {' | '.join(map(str, total))} | |"]
    lines += [f"| runs with one | | {runs[0]} | {runs[1]} | |", ""]
    lines += [
        "| provoked | seen as | yellow at | red at | of steps | first advice | before | after |"
    ]
    lines += ["|---|---|--:|--:|--:|---|--:|--:|"]
    for name, failed in found["failures"].items():
        lines.append(f"| `{name}` | {' | '.join(_row(failed))} |")
    return "\n".join(lines) + "\n"


def _row(failed: dict[str, Any]) -> list[str]:
    told, then = failed["told"], failed["then"]
    first = Lights.of(told).first
    met = {name: steps for name, steps in first.items() if name in failed["expected"]}
    at = [
        str(min((steps[word] for steps in met.values() if word in steps), default=""))
        for word in ("yellow", "red")
    ]
    changed = ""
    if then:
        old, new = (_settings(end["command"]) for end in (told, then))
        changed = f"`{' '.join(f'{k}={v}' for k, v in new.items() if old.get(k) != v)}`"
    ends = [_figure(failed["figure"], end) if end else "" for end in (told, then)]
    return [", ".join(met), *at, str(told["step"]), changed, *ends]


def _settings(command: str) -> dict[str, str]:
    """What a command says, the last of a key."""
    return dict(word.split("=", 1) for word in shlex.split(command)[2:])


def _figure(name: str, told: dict[str, Any]) -> str:
    """The number that a failure is judged by."""
    own = {"modes": "modes", "divergence": "w1", "frechet": "frechet"}
    if name in UNMEASURED:
        late = [look["overfit"] for look in told["looks"][-3:] if "overfit" in look]
        return f"{sum(late) / len(late):.2f}" if late else "too small to tell"
    found = told["figures"].get(own.get(name, ""), told["figures"].get("energy distance"))
    return told["state"] if found is None else f"{found:.3g}"


if __name__ == "__main__":
    main(sys.argv[1:])
