"""Figures with intervals, floors and protocols; and what is not believed, or not compared."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.dataset.digits import Digits
from gan_cli.errors import BadFile, UserMistake
from gan_cli.evaluation import Data, Examiner, Question, gathered
from gan_cli.metric import Estimate, Exam, Figure, Metric, Sight, Untrue
from gan_cli.metric.frechet import Frechet, distance
from gan_cli.metric.kid import KID
from gan_cli.metric.measure import measure, values
from gan_cli.sampler import Sampler
from gan_cli.scores import Measured, Scores, compare
from gan_cli.space import Space
from gan_cli.task.label import Label
from gan_cli.task.unconditional import Unconditional
from gan_cli.task.unpaired import Unpaired
from gan_cli.theory import interval


class Plain:
    """The samples themselves as features."""

    name, resize, about, classes = "plain", "none", "nothing", ()

    def __init__(self, sha256: str = "0" * 64):
        self.sha256 = sha256

    def features(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def probabilities(self, x: Tensor) -> Tensor:
        raise ValueError("no classes")


@dataclass(frozen=True)
class Mean:
    """The mean of all numbers of the fakes."""

    figures: ClassVar[dict[str, Figure]] = {"mean": Figure("the mean", 1)}
    fails: bool = False

    def refuses(self, exam: Exam) -> str | None:
        return None

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        if self.fails:
            raise Untrue("it can't be")
        return {"mean": Estimate(float(exam.fake.features.double().mean()))}


@dataclass(frozen=True)
class Gap:
    """A distance of which fresh real samples have the least."""

    figures: ClassVar[dict[str, Figure]] = {"gap": Figure("a gap", -1, low=0.0, floored=True)}
    reason: str | None = None

    def refuses(self, exam: Exam) -> str | None:
        return self.reason

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        return {"gap": Estimate(distance(exam.real.features, exam.fake.features))}


def examiner(n: int = 400, repeats: int = 1, **metrics: Metric) -> Examiner:
    digits, held = Digits(split="train").load(), Digits(split="test").load()
    data = Data(digits, held, Unconditional(), "digits", "train")
    asked = metrics or {"mean": Mean()}
    return Examiner(data, Question(asked, {name: {} for name in asked}, Plain(), n, repeats))


def normal(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 1, generator=torch.Generator().manual_seed(seed))


def exam(fake: Tensor) -> Exam:
    return Exam(real=Sight(normal(500, 9), None, Plain()), fake=Sight(fake, None, Plain()))


def test_the_jackknife_of_a_mean_is_the_interval_that_everybody_knows():
    x = normal(2000)
    figures, refused = measure({"mean": Mean()}, [exam(x)], {}, like=False)
    one = figures["mean"]
    blocks = [float(x[k::10].mean()) for k in range(10)]
    spread = torch.tensor(blocks).double().std() / math.sqrt(10)
    assert refused == {}
    assert one.value == pytest.approx(float(x.double().mean()), abs=1e-6)
    assert one.error == pytest.approx(float(spread) * interval.student(9), rel=1e-4)


def test_ninety_five_of_a_hundred_intervals_hold_the_true_value():
    holds = 0
    for seed in range(200):
        figures, _ = measure({"mean": Mean()}, [exam(normal(200, seed + 1))], {}, like=False)
        low, high = figures["mean"].low, figures["mean"].high
        holds += low <= 0 <= high
    assert 180 <= holds <= 199


def test_intervals_of_repeats_are_those_of_independent_values():
    assert interval.repeats([1.0, 2.0, 3.0]) == pytest.approx(4.302652729911 / math.sqrt(3))
    with pytest.raises(ValueError, match="two values"):
        interval.student(0)
    exams = [exam(normal(300, seed)) for seed in range(4)]
    figures, _ = measure({"mean": Mean()}, exams, {}, like=False)
    means = [float(one.fake.x.double().mean()) for one in exams]
    assert figures["mean"].value == pytest.approx(sum(means) / 4, abs=1e-7)
    assert figures["mean"].error == pytest.approx(interval.repeats(means), rel=1e-5)


def test_leaving_out_blocks_leaves_out_every_sample_once():
    one = exam(normal(105))
    left = [one.without(block, 10).fake for block in range(10)]
    assert [len(part) for part in left] == [94] * 5 + [95] * 5
    assert sum(float(part.x.sum()) for part in left) == pytest.approx(
        9 * float(one.fake.x.sum()), abs=1e-4
    )
    assert torch.equal(left[3].features, left[3].x.flatten(1))


def test_what_is_computed_of_a_set_is_not_computed_again_for_its_parts():
    calls = []

    class Counts(Plain):
        def features(self, x: Tensor) -> Tensor:
            calls.append(len(x))
            return super().features(x)

    whole = Sight(normal(40), None, Counts())
    parts = [whole.pick(torch.arange(40)[k::2]) for k in range(2)]
    assert torch.equal(torch.cat([p.features for p in parts]).sort(0)[0], whole.x.sort(0)[0])
    assert calls == [40]


def test_numbers_that_can_not_be_are_refused_with_the_reason():
    real = normal(500, 9)
    told = [Sight(x, None, Plain()) for x in (real, normal(500, 9))]
    copied = Exam(real=told[0], fake=told[1])
    figures, refused = measure({"gap": Gap()}, [copied], {"gap": 0.02}, like=True)
    assert figures == {}
    assert "copies of the reference" in refused["gap"]
    figures, refused = measure({"gap": Gap()}, [copied], {"gap": 0.02}, like=False)
    assert refused == {}
    figures, refused = measure({"mean": Mean(fails=True)}, [copied], {}, like=True)
    assert (figures, refused) == ({}, {"mean": "it can't be"})
    figures, refused = measure({"gap": Gap("not of these")}, [copied], {}, like=True)
    assert refused == {"gap": "not of these"}


def test_a_number_beyond_its_bounds_is_a_fault():
    @dataclass(frozen=True)
    class Share(Mean):
        figures: ClassVar[dict[str, Figure]] = {"mean": Figure("a share", 1, 0.0, 1.0)}

    _, refused = measure({"mean": Share()}, [exam(normal(50) + 9)], {}, like=False)
    assert "between 0 and 1" in refused["mean"]
    _, refused = measure({"mean": Share()}, [exam(normal(50) * math.nan)], {}, like=False)
    assert "nan" in refused["mean"]
    assert values({"mean": Mean()}, exam(normal(50) * math.nan)) == {}


def test_the_floor_is_of_held_out_samples():
    one = examiner(300, gap=Gap())
    real = gathered(Unconditional().take(Digits(split="train").load()), 300).x
    held = gathered(Unconditional().take(Digits(split="test").load()), 300).x
    assert one.floors["gap"] == pytest.approx(distance(real.flatten(1), held.flatten(1)))
    assert one.floor_said == "300 real samples that G has not learnt from"


def test_without_held_out_samples_the_floor_is_of_two_halves():
    digits = Digits(split="train").load()
    data = Data(digits, None, Unconditional(), "digits", "train")
    one = Examiner(data, Question({"gap": Gap()}, {}, Plain(), 400))
    assert one.floors["gap"] > 0
    assert "two halves" in one.floor_said


def test_real_samples_are_drawn_once_and_none_of_them_twice():
    whole = Digits(split="all").load()
    drawn = gathered(whole, whole.length).x
    assert torch.equal(
        drawn.flatten(1).double().sum(1).sort()[0],
        (whole.images.double() / 127.5 - 1).flatten(1).sum(1).sort()[0].float().double(),
    ) or len({bytes(x.numpy()) for x in drawn}) == len({bytes(x.numpy()) for x in whole.images})
    assert torch.equal(examiner(100).real.x, examiner(100, mean=Mean(), gap=Gap()).real.x)


def test_too_few_and_too_many_samples_are_refused():
    with pytest.raises(UserMistake, match="20 or more"):
        examiner(5)
    with pytest.raises(UserMistake, match="don't fit"):
        examiner(10**9)


def of_set(one: Examiner, shift: float, seed: int = 0) -> Scores:
    x = one.real.x + shift * torch.randn(
        one.real.x.shape, generator=torch.Generator().manual_seed(seed)
    )
    return one.examine_set(Batch(x), "f" * 64, seed)


def test_scores_are_strict_json_and_come_back(tmp_path):
    scores = of_set(examiner(200, mean=Mean(), gap=Gap()), 0.3)
    path = tmp_path / "scores.json"
    path.write_text(scores.to_json())
    assert Scores.read(path) == scores
    for text in ("{}", "[]", "no", '{"format": "gan-evaluation/1"}', scores.to_json()[:-30]):
        path.write_text(text)
        with pytest.raises(BadFile, match=r"scores\.json"):
            Scores.read(path)
    path.write_text(scores.to_json().replace('"better": 1', '"better": "x"'))
    with pytest.raises(BadFile):
        Scores.read(path)
    with pytest.raises(BadFile):
        Scores.read(tmp_path / "nothing.json")


def test_unlike_protocols_are_not_compared():
    mine, other = of_set(examiner(200, gap=Gap()), 0.3), of_set(examiner(300, gap=Gap()), 0.3)
    with pytest.raises(UserMistake, match="real: 200, 300"):
        compare(mine, other)
    judge = dataclasses.replace(mine.protocol, features="1" * 64)
    with pytest.raises(UserMistake, match="features: 000000000000…, 111111111111…"):
        compare(mine, dataclasses.replace(mine, protocol=judge))
    settings = dataclasses.replace(mine.protocol, settings={"gap": {"k": 3}})
    with pytest.raises(UserMistake, match=r"metric\.gap"):
        compare(mine, dataclasses.replace(mine, protocol=settings))
    with pytest.raises(UserMistake, match="share no figure"):
        compare(mine, of_set(examiner(200), 0.3))


def test_a_difference_counts_where_it_is_beyond_chance():
    one = examiner(400, gap=Gap(), mean=Mean())
    near, same, far = of_set(one, 0.3), of_set(one, 0.3, seed=1), of_set(one, 0.6)
    verdicts = {name: verdict for name, *_, verdict in compare(near, same)}
    assert verdicts == {"gap": "no difference", "mean": "no difference"}
    assert {name: v for name, *_, v in compare(near, far)}["gap"] == "better"
    assert {name: v for name, *_, v in compare(far, near)}["gap"] == "worse"


def test_a_figure_says_its_error_and_what_real_samples_have():
    one = Measured(12.35, 12.0, 12.7, 0.86, "frechet", "a distance", -1)
    assert str(one) == "12.35 ± 0.35 (real 0.86)"
    assert str(dataclasses.replace(one, low=None, floor=None)) == "12.35"


def test_an_interval_that_a_bound_cuts_off_is_no_smaller_an_error():
    one = Measured(0.02, 0.0, 0.32, None, "frechet", "a distance", -1)
    assert one.error == pytest.approx(0.3)


def test_samples_are_read_a_few_at_a_time_and_are_the_same(monkeypatch):
    whole = gathered(Digits(split="all").load(), 700)
    monkeypatch.setattr("gan_cli.evaluation.TOGETHER", 64)
    parts = gathered(Digits(split="all").load(), 700)
    assert torch.equal(whole.x, parts.x)
    assert torch.equal(whole.c, parts.c)


def test_no_real_sample_is_drawn_twice_where_a_task_takes_some_of_them():
    data = Data(Digits().load(), None, Unpaired(), "digits", "all")
    one = Examiner(data, Question({"mean": Mean()}, {}, Plain(), 1000))
    assert len(one.batch.x) == one.source.length == one.protocol("raw").real < 1000


def test_a_mirrored_reference_is_another_protocol():
    digits = Digits(split="train").load()
    told = [
        Examiner(
            Data(dataclasses.replace(digits, mirror=mirror), None, Unconditional(), "d", "train"),
            Question({"mean": Mean()}, {}, Plain(), 50),
        ).protocol("none")
        for mirror in (False, True)
    ]
    assert told[0].differences(told[1], set()) == ["split: train, train, mirrored"]


def test_a_set_has_no_repeats():
    with pytest.raises(UserMistake, match="--repeats"):
        of_set(examiner(100, repeats=3), 0.3)


def test_labels_asked_for_are_those_of_the_real_samples():
    digits = Digits(split="train").load()
    data = Data(digits, None, Label(), "digits", "train")
    one = Examiner(data, Question({"mean": Mean()}, {}, Plain(), 50))
    sampler = Sampler(torch.nn.Identity(), Space((1, 8, 8), digits.classes))
    assert torch.equal(one._labels_for(sampler, 50), one.real.c)
    hidden = examiner(400)
    assert hidden.real.c is None  # an unconditional task hides them
    asked = hidden._labels_for(sampler, 400)
    assert torch.bincount(asked).tolist() == [40] * 10
    assert min(len(asked[block::10].unique()) for block in range(10)) > 5  # of every block


@pytest.mark.parametrize("scale", [1e27, 1e38])
def test_distances_beyond_what_floats_can_square_are_told_without_an_interval(scale: float):
    made = examiner(n=60, kid=KID(subsets=10), frechet=Frechet())
    told = made.examine_set(Batch(made.batch.x * scale, None), "0" * 64, 0)
    assert told.figures["kid"].error is None
    assert math.isfinite(told.figures["kid"].value)
    assert math.isfinite(told.figures["frechet"].value)
    assert "NaN" not in told.to_json()


def test_infinite_features_are_a_reason_and_no_crash():
    made = examiner(n=60, kid=KID(subsets=10), frechet=Frechet())
    told = made.examine_set(Batch(made.batch.x * math.inf, None), "0" * 64, 0)
    assert told.figures == {}
    assert set(told.refused) == {"kid", "frechet"}
