"""A glance at a run while it trains: what is measured of its samples, of D and of the weights."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from gan_cli.batch import Batch
from gan_cli.build import Config, Parts
from gan_cli.dataset.density import Modal
from gan_cli.dataset.source import Source
from gan_cli.diagnosis import measure
from gan_cli.errors import GanError, NumericalFailure
from gan_cli.method.gan import GAN
from gan_cli.metric.law import lawful
from gan_cli.sampler import Sampler, evaluating
from gan_cli.session import Session
from gan_cli.space import Space
from gan_cli.task import Task, with_answers

CPU = torch.device("cpu")
MOST = 512
"""Answers of D of each kind from one batch that are compared."""


class Glance:
    """Measures a session as it is; nothing that it draws or computes is known to training.

    Samples are of fixed codes and of the conditions of `n` real samples; `held` of those that were
    held out are shown to D, where there are any.
    """

    def __init__(self, session: Session, parts: Parts, config: Config):
        self.session, self.seed = session, config["seed"]
        n = config["diagnose"]["n"]
        method, space = session.method, session.space
        self.sampler = Sampler(
            method.generator, space, session.prior, session.task, session.data.shape
        )
        self.batch, self.pack = config["batch_size"], config["pack"]
        task = parts.task
        self.real = self._first(
            session.data if space.kinds else with_answers(task, session.data), n
        )
        self.kinds = self._kinds(n)
        law = lawful(session.data)
        self.modes = law.means if isinstance(law, Modal) else None
        self.halves = self._halves(task, n)
        self.begun = {name.replace("weights", "begun"): v for name, v in self.weights().items()}

    def _first(self, source: Source, n: int) -> Batch:
        """So many different samples, fewer where there are no more; conditions where G gets any."""
        count = n if source.length is None else min(n, source.length)
        batch = source.open(count, self.seed, CPU)(0)
        return batch if asks(self.session.space) else replace(batch, c=None)

    def _halves(self, task: Task, n: int) -> tuple[Batch, Batch] | None:
        """Samples that D learns from, and others that were held out; None where none are."""
        session = self.session
        if not isinstance(session.method, GAN) or session.source.length is None:
            return None
        with suppress(GanError):  # what was held out is not there
            if held := session.held():
                other = held if session.space.kinds else task.take(held)
                return self.real, self._first(other, n)
        return None

    def _kinds(self, n: int) -> Tensor | None:
        """The labels of the real samples, where the data have them and nobody asks for any."""
        space, data = self.session.space, self.session.data
        if asks(space) or not data.classes or data.shape != space.shape:
            return None
        labels = data.open(len(self.real), self.seed, CPU)(0).c
        return labels if labels is not None and int(labels.min()) >= 0 else None

    def __call__(self) -> dict[str, float]:
        """Everything that can be measured, by name; `failed` where samples are not finite."""
        told = self.weights()
        said = self.session.method.outputs
        if {"D/real", "D/fake"} <= said.keys():
            real, fake = (said[name][:MOST].float().cpu() for name in ("D/real", "D/fake"))
            told["auc"] = measure.auc(real, fake)
            told |= self.slope(real, fake)
        return told | self.samples()

    def samples(self) -> dict[str, float]:
        """What is measured of samples, once G has learnt anything."""
        G = self.session.method.players.get("G")
        if G is not None and not G.updates:
            return {}
        try:
            fake = self.sampler.sample(len(self.real), self.seed, c=self.real.c)
        except NumericalFailure:
            return {"failed": 1.0}
        labels = self.real.c if self.session.space.classes else None
        told = measure.of_samples(fake, self.real.x, labels, self.kinds)
        if self.modes is not None:
            told |= measure.of_modes(fake, self.real.x, self.modes)
        return told | self.overfit(fake)

    def weights(self) -> dict[str, float]:
        """The norm of each player's weights."""
        players = self.session.method.players.items()
        norms = {name: get_total_norm(p.weights) for name, p in players if p.weights}
        return {f"weights/{name.lower()}": float(norm) for name, norm in norms.items()}

    def slope(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """What is left of the slope of G's loss in D's outputs, `(N,), (N,)`."""
        method = self.session.method
        if not isinstance(method, GAN) or len(real) != len(fake):
            return {}
        value = measure.slope(method.loss, real, fake)
        return {} if value is None else {"slope": value}

    def overfit(self, fake: Tensor) -> dict[str, float]:
        """How far D tells held-out samples from those it learns from."""
        method = self.session.method
        if self.halves is None or not isinstance(method, GAN):
            return {}
        shown = (*self.halves, replace(self.real, x=fake))
        with torch.no_grad(), evaluating(method.D.net):
            said = [self._judged(method, batch) for batch in shown]
        value = measure.overfit(*said)
        return {} if value is None else {"overfit": value}

    def _judged(self, method: GAN, batch: Batch) -> Tensor:
        """D's outputs on whole batches as large as those it learns from, `(N,)`."""
        size = min(self.batch, len(batch) // self.pack * self.pack)
        if not size:
            return torch.empty(0)
        device, outputs = self.session.device, []
        for start in range(0, len(batch) - size + 1, size):
            x, c = (None if v is None else v[start:][:size].to(device) for v in (batch.x, batch.c))
            assert x is not None
            outputs.append(method.judge(Batch(x, c)))
        said = torch.cat(outputs).float().cpu()
        return said if said.dim() == 1 else said.mean(1)


def asks(space: Space) -> bool:
    """Whether G is told what to make."""
    return bool(space.classes) or space.given is not None
