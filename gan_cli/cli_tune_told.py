"""What a search came to: its best trials, the command of the best, and whether it is luck."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Hashable

from optuna.trial import FrozenTrial, TrialState

from gan_cli import written
from gan_cli.cli_tune_trial import Bench, reason
from gan_cli.cli_tune_work import figure, outcome, say, shown
from gan_cli.errors import Stopped
from gan_cli.run import key_of
from gan_cli.study.paired import Difference, Spread, difference

SHOWN = 10
"""Trials in the table."""

Figures = dict[Hashable, float]
"""What a setting came to, by seed."""


class Result:
    """A search as it stands."""

    def __init__(self, bench: Bench):
        self._bench = bench

    @property
    def best(self) -> FrozenTrial | None:
        """The trial with the best figure, the default among them; those given up don't count."""
        done = [t for t in self._bench.search.trials if self._counts(t)]
        return max(done, key=self._merit, default=None)

    @property
    def is_better(self) -> bool:
        """Whether something was found that came to more than the default."""
        return self.best is not None and self.best.number > 0

    def tell(self) -> None:
        """The table, the command of the best, and what mattered."""
        trials = self._bench.search.trials
        ranked = sorted(trials, key=lambda t: (self._counts(t), self._merit(t)), reverse=True)
        shown = [t for t in ranked if t.number == 0 or t in ranked[:SHOWN]]
        keys = list(self._bench.wish.space)
        headers = ["trial", self._bench.aim.figure, *keys, "became"]
        notes = [f"and {len(ranked) - len(shown)} more"] if len(ranked) > len(shown) else []
        rows = [self._row(t, keys) for t in shown]
        say(f"\n{written.write(headers, rows, 'text', written.terminal(), notes)}")
        if self.best is not None:
            say(f"the best: {self._command(self.best)}")
        self._tell_importance()
        if self.is_better:
            say(
                f"The best of {len(trials)} is partly the luckiest: its figure is no measure of it,"
                " and other seeds may say otherwise."
            )
        elif self.best is not None:
            say("nothing better than the default was found")

    def _row(self, trial: FrozenTrial, keys: list[str]) -> list[written.Cell]:
        values = self._values(trial)
        name: written.Cell = "default" if trial.number == 0 else str(trial.number + 1)
        why = trial.user_attrs.get("reason")
        became = "done" if self._counts(trial) else str(why or outcome(trial, self._bench))
        return [name, figure(trial), *(values.get(key) for key in keys), became]

    def _tell_importance(self) -> None:
        found = self._bench.search.importance()
        if found:
            shares = ", ".join(f"{key} {share:.0%}" for key, share in found.items())
            say(f"what the figure depends on, as far as these trials can tell: {shares}")

    def confirm(self, count: int) -> Difference:
        """The best and the default over as many fresh seeds, in pairs that share one.

        The seeds after the one that was searched with: nothing was chosen by them.
        """
        assert self.best is not None
        first = int(self._bench.plan(self._bench.wish.fixed).config["seed"]) + 1
        seeds = range(first, first + count)
        best, default = self._values(self.best), dict[str, str]()
        mine: Figures = {}
        other: Figures = {}
        with shown(self._bench) as tell:
            for seed in seeds:
                for values, found in ((default, other), (best, mine)):
                    self._measure(values, seed, found, tell)
        told = difference(mine, other, self._bench.aim.better)
        self._tell_difference(mine, other, told)
        return told

    def _measure(
        self, values: dict[str, str], seed: int, found: Figures, tell: Callable[[str], None]
    ) -> None:
        named = " ".join(f"{key}={value}" for key, value in values.items()) or "default"
        name = f"{named} seed={seed}"
        fixed = [o for o in self._bench.wish.overrides(values) if key_of(o) != "seed"]
        tell(f"to confirm: {name}")
        try:
            plan = self._bench.plan([*fixed, f"seed={seed}"])
            found[seed] = self._bench.train(name, plan, values | {"seed": seed})
        except (Stopped, KeyboardInterrupt):
            raise
        except Exception as error:  # noqa: BLE001, a failure is a result
            tell(f"{name} failed: {reason(error)}")

    def _tell_difference(self, mine: Figures, other: Figures, told: Difference) -> None:
        rows: list[list[written.Cell]] = []
        for words, found in (("the best", mine), ("the default", other)):
            one = Spread.of(found.values())
            mean, deviation = (one.mean, one.deviation) if one else (None, None)
            rows.append([words, mean, deviation, len(found)])
        headers = ["setting", f"{self._bench.aim.figure}, mean", "deviation", "fresh seeds"]
        say(f"\n{written.write(headers, rows, 'text')}")
        if told.low is None or told.high is None or told.mean is None:
            say(f"no difference can be told: {told.words}")
            return
        interval = f"{told.mean:.4g}, with 95 % confidence {told.low:.4g} to {told.high:.4g}"
        say(f"the best less the default, {told.n} pairs: {interval}: {told.words}")

    def _values(self, trial: FrozenTrial) -> dict[str, str]:
        """What was tried, as it is typed."""
        space = self._bench.wish.space
        return {key: one.suggest(trial, key) for key, one in space.items() if key in trial.params}

    def _command(self, trial: FrozenTrial) -> str:
        values = self._values(trial) if trial.number else {}
        words = ["gan", "train", *self._bench.flags, *self._bench.wish.overrides(values)]
        return shlex.join(words)

    def _counts(self, trial: FrozenTrial) -> bool:
        return trial.state != TrialState.PRUNED and figure(trial) is not None

    def _merit(self, trial: FrozenTrial) -> float:
        value = figure(trial)
        return -float("inf") if value is None else self._bench.aim.better * value
