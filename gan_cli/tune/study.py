"""A study of Optuna's in a file that several processes share, and what it says to try next.

The file is Optuna's journal: one line of JSON for whatever happens. What is tried is a function of
the seed, the number of the trial and what the trials before it came to, so that a search that was
stopped goes on as if it had not been, where one process works on it at a time.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from gan_cli.errors import BadFile, DiskFailure, UserMistake
from gan_cli.tune import PRUNERS, SAMPLERS, Aim
from gan_cli.tune.space import Range

FILE = "study.jsonl"
NAME = "gan"
ENOUGH = 10
"""Trials with a figure, from which it is told what mattered."""

_SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = dict(
    zip(
        SAMPLERS,
        (
            lambda seed: optuna.samplers.TPESampler(seed=seed),
            lambda seed: optuna.samplers.GPSampler(seed=seed),
            lambda seed: optuna.samplers.RandomSampler(seed=seed),
        ),
        strict=True,
    )
)
_PRUNERS: dict[str, Callable[[int], optuna.pruners.BasePruner]] = dict(
    zip(
        PRUNERS,
        (
            lambda warm_up: optuna.pruners.NopPruner(),
            lambda warm_up: optuna.pruners.MedianPruner(n_warmup_steps=warm_up),
            lambda warm_up: optuna.pruners.SuccessiveHalvingPruner(min_resource=warm_up or "auto"),
        ),
        strict=True,
    )
)


class Taken:
    """A trial that this process works on, and no other for as long as it lives."""

    def __init__(self, trial: Trial, values: dict[str, str], hold: FileLock):
        self.trial, self.number, self.values = trial, trial.number, values
        self._hold = hold
        self._told = {*trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values}

    @property
    def is_default(self) -> bool:
        """Whether it is the setting when nothing is said, which the others are held against."""
        return self.number == 0

    def measured(self, step: int, value: float) -> bool:
        """Tell what was measured at a step, once; whether it is hopeless to go on."""
        if step not in self._told:
            self._told.add(step)
            self.trial.report(value, step)
        return not self.is_default and self.trial.should_prune()

    def leave(self) -> None:
        """Let another process take it up."""
        self._hold.release()


class Search:
    """A study: what is asked of it, and what it is told."""

    def __init__(
        self, directory: Path, space: dict[str, Range], default: dict[str, Any], seed: int
    ):
        self.directory, self.space, self.default, self.seed = directory, space, default, seed
        self.sampler = SAMPLERS[0]
        self._asking = FileLock(directory / ".asking.lock")

    @classmethod
    def open(
        cls,
        directory: Path,
        aim: Aim,
        space: dict[str, Range],
        default: dict[str, Any],
        fixed: list[str],
        seed: int,
    ) -> Search:
        """The study in a directory, made when there is none.

        Its first trial is the default. Raises UserMistake where the directory has a study of
        something else, BadFile where its file is damaged, DiskFailure where it can't be written.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        found = cls(directory, space, default, seed)
        asked = {
            "figure": aim.figure,
            "value": "best" if aim.best else "last",
            "fixed": fixed,
            "searched": {key: str(one) for key, one in space.items()},
        }
        with _words(directory):
            directory.mkdir(parents=True, exist_ok=True)
            with found._asking:
                found._load(aim, asked)
        return found

    def _load(self, aim: Aim, asked: dict[str, Any]) -> None:
        storage = JournalStorage(JournalFileBackend(str(self.directory / FILE)))
        direction = {1: "maximize", -1: "minimize"}[aim.better]
        self.study = optuna.create_study(
            storage=storage, study_name=NAME, direction=direction, load_if_exists=True
        )
        before = self.study.user_attrs.get("asked")
        if before is None:
            self.study.set_user_attr("asked", asked)
            if self.default:
                self.study.enqueue_trial(self.default)
        elif before != asked:
            told = "; ".join(
                f"{key}: {before.get(key)} → {asked[key]}"
                for key in asked
                if before.get(key) != asked[key]
            )
            raise UserMistake(f"{self.directory} holds another search ({told}); another --name")

    def guide(self, sampler: str, pruner: str, warm_up: int) -> None:
        """Who says what to try, and when to give up, which is not before the step `warm_up`."""
        self.sampler = sampler
        self.study.pruner = _PRUNERS[pruner](warm_up)

    @property
    def trials(self) -> list[FrozenTrial]:
        """All there are, by number."""
        return self.study.get_trials(deepcopy=False)

    def take(self, most: int) -> Taken | None:
        """The next trial: one that was left unfinished, or a new one while there are fewer than
        `most`; None where there is nothing to do."""
        with self._asking:
            left = [t for t in self.trials if t.state == TrialState.RUNNING]
            for frozen in left:
                if hold := self._hold(frozen.number):
                    return self._taken(Trial(self._seeded(frozen.number), frozen._trial_id), hold)
            waiting = [t.number for t in self.trials if t.state == TrialState.WAITING]
            number = min(waiting, default=len(self.trials))
            if number >= most:
                return None
            hold = self._hold(number)
            return self._taken(self._seeded(number).ask(), hold) if hold else None

    def done(self, taken: Taken, value: float) -> None:
        """What it came to."""
        if taken.is_default and not self.default:
            taken.trial.set_user_attr("value", value)
            self.study.tell(taken.trial, state=TrialState.FAIL)  # it lies outside of the space
        else:
            self.study.tell(taken.trial, value)
        self._over(taken)

    def pruned(self, taken: Taken, reason: str) -> None:
        """That it was given up."""
        taken.trial.set_user_attr("reason", reason)
        self.study.tell(taken.trial, state=TrialState.PRUNED)
        self._over(taken)

    def failed(self, taken: Taken, reason: str) -> None:
        """That it came to nothing, and why."""
        taken.trial.set_user_attr("reason", reason)
        self.study.tell(taken.trial, state=TrialState.FAIL)
        self._over(taken)

    def importance(self) -> dict[str, float]:
        """What share of the figure's variance each key explains, by a forest of trees that learns
        from the trials (fANOVA, Hutter et al. 2014, An efficient approach for assessing
        hyperparameter importance); {} before there are enough of them to say."""
        known = [t for t in self.trials if t.state == TrialState.COMPLETE]
        if len(self.space) < 2 or len(known) < ENOUGH or len({t.value for t in known}) < 2:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        try:
            found = optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        except (ValueError, RuntimeError):  # a key that was never varied
            return {}
        return {key: float(share) for key, share in found.items()}

    def _seeded(self, number: int) -> optuna.Study:
        """The study, with random numbers of this trial's own."""
        digest = hashlib.sha256(f"{self.seed} {number}".encode()).digest()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some samplers are experiments in Optuna 4
            self.study.sampler = _SAMPLERS[self.sampler](int.from_bytes(digest[:4], "big"))
        return self.study

    def _taken(self, trial: Trial, hold: FileLock) -> Taken:
        outside = trial.number == 0 and not self.default
        space = {} if outside else self.space
        return Taken(trial, {key: one.suggest(trial, key) for key, one in space.items()}, hold)

    def _hold(self, number: int) -> FileLock | None:
        hold = FileLock(self._path(number), timeout=0)
        try:
            hold.acquire()
        except Timeout:
            return None
        return hold

    def _over(self, taken: Taken) -> None:
        taken.leave()
        self._path(taken.number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self.directory / f".trial-{number}.lock"


@contextmanager
def _words(directory: Path) -> Iterator[None]:
    """Turns what goes wrong with the file of a study into words."""
    try:
        yield
    except (ValueError, KeyError) as error:
        raise BadFile(
            f"{directory / FILE}: damaged ({error}); without it a search begins anew"
        ) from error
    except OSError as error:
        raise DiskFailure(f"{directory}: {error.strerror or error}") from error
