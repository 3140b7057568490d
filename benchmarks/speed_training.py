"""Training, measured: `gan train` against the plain loop, and the bars it is held to."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.photos import folder
from benchmarks.race import Entry, Ratio, environment, race, rounded

Case = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """How it is measured: on what, in how many turns of about how many seconds, of how many files.

    `data`: where MNIST is. `scratch`: for folders of images, caches and runs.
    """

    scratch: Path
    data: str
    device: str = "cpu"
    pairs: int = 5
    seconds: float = 1.5
    photos: int = 20_000
    samples: int = 10_000
    threads: int | None = None
    quick: bool = False

    @property
    def env(self) -> dict[str, str]:
        """What each contender finds."""
        return environment(self.scratch, self.threads) | {"GAN_DATA": self.data}

    @property
    def kind(self) -> str:
        """cpu or cuda."""
        return self.device.partition(":")[0]

    @property
    def on(self) -> list[str]:
        """What to type for the device."""
        return [f"hardware.device={self.device}"]


@dataclass(frozen=True)
class Training:
    """A game of gan, the plain one it is held against, and by how much it should be faster.

    `bars`: of each kind of device, at the defaults of both, and float32 against float32.
    `shared`: whether it is run with one batch of fakes for both steps, too, as the plain loop has.
    `compiled`: whether it is run with whole steps compiled, too, in both precisions.
    `unworked`: whether the plain loop is run without workers, too.
    """

    words: str
    game: str
    bars: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    shared: bool = False
    compiled: bool = False
    unworked: bool = False

    @property
    def files(self) -> bool:
        """Whether it reads a folder of images."""
        return "dataset=folder" in self.words


TRAININGS = {
    "mlp": Training(
        "dataset=mnist model=mlp",
        "mlp",
        {"cpu": (5, 2.2), "cuda": (15, None)},
        shared=True,
        compiled=True,
    ),
    "dcgan32": Training(
        "dataset=folder dataset.size=32 model=dcgan",
        "dcgan32",
        {"cpu": (4, 1.8)},
        shared=True,
        unworked=True,
    ),
    "dcgan64": Training(
        "dataset=folder dataset.size=64 model=dcgan",
        "dcgan64",
        {"cpu": (3, 1.6), "cuda": (8, None)},
        unworked=True,
    ),
    "dcgan64-b128": Training(
        "dataset=folder dataset.size=64 model=dcgan batch_size=128",
        "dcgan64_b128",
        {"cpu": (3, 1.6)},
    ),
    "wgan-gp-mlp": Training(
        "dataset=mnist model=mlp loss=wgan_gp",
        "wgan_gp_mlp",
        {"cpu": (4, 2), "cuda": (5, None)},
        compiled=True,
    ),
    "wgan-gp-dcgan32": Training(
        "dataset=folder dataset.size=32 model=dcgan loss=wgan_gp critic_norm=none",
        "wgan_gp_dcgan32",
        {"cpu": (4, 2), "cuda": (5, None)},
    ),
    "r1-dcgan32": Training(
        "dataset=folder dataset.size=32 model=dcgan penalty=r1", "r1_dcgan32", {"cpu": (None, None)}
    ),
}
COMPILED = {
    "ours, compiled": ["hardware.compile=true"],
    "ours, compiled, bfloat16": ["hardware.compile=true", "hardware.precision=bfloat16"],
}
"""What is typed besides where steps are compiled."""

UNCOUNTED = ("hardware.cuda_graphs=false", "hardware.compile=false")
"""What is typed to count operations: a step that is replayed from a record shows none."""


def training(name: str, asked: Asked) -> Case:
    """Steps of `gan train` against those of the plain loop, in the precisions of both."""
    case = TRAININGS[name]
    entries, words = contenders(case, asked)
    race(entries, asked.env, asked.scratch, asked.pairs, asked.seconds)
    plain = entries["reference"]
    told = {who: e for who, e in entries.items() if not who.startswith(("peak", "kernels"))}
    if asked.kind == "cuda":
        once = {"counted": Entry(["ours", *words, *UNCOUNTED], steps=1)}
        race(once, asked.env, asked.scratch, 1, asked.seconds)
        for who in ours(told):
            entries[who].tally["flops"] = once["counted"].tally["flops"]
    for who in COMPILED.keys() & entries.keys():
        entries[who].tally["flops"] = entries["ours"].tally["flops"]
    peak = entries["peak"].tally["peak"]
    ratios = dict.fromkeys(ours(told), plain)
    ratios["ours, float32"] = entries.get("reference, float32", plain)
    return {
        "what": f"gan train {case.words}",
        "batch": batch_of(case),
        "ms": {who: rounded(statistics.median(entry.ms)) for who, entry in told.items()},
        "ratio": {who: asdict(Ratio.of(slow.ms, entries[who].ms)) for who, slow in ratios.items()},
        "bars": dict(zip(("ours", "ours, float32"), case.bars.get(asked.kind, ()), strict=False)),
        "picked": {who: entries[who].tally["picked"] for who in ours(told)},
        "memory": {who: entry.tally["memory"] for who, entry in told.items()},
        "ema_mb": ema_mb(case.game),
        "data_mb": rounded(data_mb(case, asked.photos)),
        "flops": {who: entry.tally["flops"] for who, entry in told.items()},
        "peak": {dtype: rounded(value) for dtype, value in peak.items()},
        "roofline": roofline(entries, ours(told), peak),
        "blocks_ms": {who: [*map(rounded, entry.ms)] for who, entry in told.items()},
    }


def contenders(case: Training, asked: Asked) -> tuple[dict[str, Entry], list[str]]:
    """Who runs in a training case, and the words of gan's."""
    words = [*case.words.split(), *asked.on]
    data = asked.data
    if case.files:
        data = str(folder(asked.scratch, asked.photos))
        words.append(f"dataset.path={data}")
    cuda, shown = asked.kind == "cuda", ["reference", case.game, data]
    entries = {
        "reference": Entry([*shown, "2" * case.files or "0", asked.device, "default"], warm=1)
    }
    if case.files:  # the batches that its workers have read ahead are not its speed
        entries["reference"].warm = 5 if "wgan" not in case.game else 1
    if case.unworked and not asked.quick:
        entries["reference, no workers"] = Entry([*shown, "0", asked.device, "default"])
    if cuda:
        entries["reference, float32"] = Entry(
            [*entries["reference"].words[:-1], "float32"], warm=entries["reference"].warm
        )
    entries["ours"] = Entry(["ours", *words], counts=not cuda)
    entries["ours, float32"] = Entry(
        ["ours", *words, "hardware.precision=float32"], counts=not cuda
    )
    if case.shared and not asked.quick:
        entries["ours, shared fakes"] = Entry(["ours", *words, "share_fakes=true"], counts=not cuda)
    if case.compiled and not asked.quick and not cuda:
        for who, more in COMPILED.items():
            entries[who] = Entry(["ours", *words, *more], counts=False)
    if not asked.quick and not cuda:
        for who, more in kernels_of(case).items():
            entries[who] = Entry(["kernels", *words, *more], counts=False)
    entries["peak"] = Entry(["peak", asked.device], warm=0, steps=1, counts=False)
    return entries, words


def kernels_of(case: Training) -> dict[str, list[str]]:
    """What is typed besides for the kernels of a game in each precision in which it is run."""
    other = {"files": "float32", "compiled": "bfloat16"}
    more = [dtype for kind, dtype in other.items() if getattr(case, kind)]
    return {"kernels": []} | {f"kernels, {d}": [f"hardware.precision={d}"] for d in more}


def ours(entries: dict[str, Entry]) -> list[str]:
    """Those that are gan's."""
    return [who for who in entries if who.startswith("ours")]


def roofline(entries: dict[str, Entry], names: Sequence[str], peak: dict[str, float]) -> Case:
    """The least time that a step's operations can take at the peak of its precision."""
    found = {}
    plain = statistics.median(entries["reference"].ms)
    for who in names:
        tally = entries[who].tally
        precision = tally["picked"]["precision"]
        least = 1000 * tally["flops"] / peak[precision]
        mine = statistics.median(entries[who].ms)
        found[who] = {
            "precision": precision,
            "least_ms": rounded(least),
            "largest_ratio": rounded(plain / least),
            "share_of_peak": rounded(least / mine, 3),
        }
        alone = entries.get(f"kernels, {precision}", entries.get("kernels"))
        if alone is not None and "shared" not in who:  # which has fewer
            ms = alone.tally["kernels_ms"]
            found[who] |= {"kernels_ms": rounded(ms), "largest_by_kernels": rounded(plain / ms)}
    return found


def batch_of(case: Training) -> int:
    """Images of a batch."""
    from benchmarks.reference import GAMES

    return GAMES[case.game].batch


def ema_mb(game: str) -> float:
    """Megabytes of a copy of G, which gan's average is."""
    from benchmarks.reference import GAMES, NETS

    netG, _ = NETS[GAMES[game].family](GAMES[game])
    tensors = (*netG.parameters(), *netG.buffers())
    return rounded(sum(t.numel() * t.element_size() for t in tensors) / 2**20)


def data_mb(case: Training, photos: int) -> float:
    """Megabytes of the decoded images, which gan keeps in memory."""
    from benchmarks.reference import GAMES

    c, h, w = GAMES[case.game].shape
    return (photos if case.files else 60_000) * c * h * w / 2**20
