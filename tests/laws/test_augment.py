"""Laws of every augmentation: real and fake alike, differentiable, over any shape."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample

from gan_cli.augment import Listens
from gan_cli.augment.ada import ADA
from gan_cli.augment.diffaugment import DiffAugment
from gan_cli.augment.instance_noise import InstanceNoise
from gan_cli.augment.pipeline import Pipeline
from gan_cli.augment.transforms import WORDS, Draws, recolored, resampled, transformed
from gan_cli.augment.transforms import composed as composed_maps
from gan_cli.batch import Batch
from gan_cli.randomness import reseed
from tests.conftest import entries
from tests.games import composed, part
from tests.laws.test_step import batches, game

NAMES = entries("augment")
SHAPES = [(2,), (1, 4, 4), (1, 8, 8), (3, 5, 7), (4, 9, 2)]
QUIET = {
    InstanceNoise: {"std": 0.0},
    DiffAugment: {"policy": ("translation", "cutout"), "shift": 0.0, "cutout": 0.0},
    Pipeline: {"p": 0.0},
}
"""What leaves samples as they are; of the others, nothing has to be changed for that."""


def busy(name: str):
    """The augmentation, after D has been sure for long."""
    augment = part("augment", name)
    if hasattr(augment, "memory"):
        augment.memory["p"] = torch.tensor(0.7)
    return augment


def samples(augment, *shape: int) -> torch.Tensor:
    """Samples of that shape, or of one that goes through."""
    shape = shape if augment.refuses(shape[1:]) is None else (shape[0], 3, 8, 8)
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_samples_keep_their_shape_and_g_learns_through_it(name, shape):
    augment = busy(name)
    if refusal := augment.refuses(shape):
        assert "augment=" in refusal
        assert len(shape) == 1
        return
    reseed(1)
    x = torch.randn(6, *shape, requires_grad=True)
    seen = augment(x)
    assert seen.shape == x.shape
    assert seen.isfinite().all()
    (gradient,) = torch.autograd.grad(seen.square().sum(), x)
    assert gradient.isfinite().all()
    assert gradient.flatten(1).abs().sum(1).min() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_the_type_and_is_the_same_function_in_each(name, dtype):
    augment = busy(name)
    x = samples(augment, 16, 3, 8, 8)
    ends = []
    for kind in (torch.float32, dtype):
        reseed(2)
        ends.append(augment(x.to(kind)))
    assert ends[1].dtype is dtype
    if not isinstance(augment, InstanceNoise):  # noise of another type is other noise
        assert torch.allclose(ends[0], ends[1].float(), atol=0.3, rtol=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_real_and_fake_go_through_it_in_both_steps(name):
    gan = game(f"augment={name}")
    seen, ask, augment = [], gan._ask, busy(name)
    gan._ask = lambda x, c: seen.extend(x.split(8)) or ask(x, c)
    gan.augment = lambda x: augment(x) + 100
    gan.step(batches(), 0)
    assert len(seen) == 3  # real and fake in D's step, fake in G's
    assert all(x.mean() > 90 for x in seen)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_function_of_the_seed(name):
    augment = busy(name)
    ends = []
    for _ in range(2):
        reseed(3)
        ends.append(augment(samples(augment, 4, 2)))
    assert torch.equal(*ends)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_changed_where_it_has_no_strength(name):
    augment = part("augment", name)
    augment = dataclasses.replace(augment, **QUIET.get(type(augment), {}))
    x = samples(augment, 8, 2).requires_grad_()
    seen = augment(x)
    assert torch.equal(seen, x)
    (gradient,) = torch.autograd.grad(seen.sum(), x)
    assert torch.equal(gradient, torch.ones_like(x))


def test_nothing_is_changed_by_none():
    x = torch.randn(4, 2)
    assert part("augment", "none")(x) is x


@pytest.mark.parametrize("name", [name for name in NAMES if name != "none"])
def test_each_sample_is_changed_by_draws_of_its_own(name):
    augment = busy(name)
    x = samples(augment, 1, 2).expand(8, *samples(augment, 1, 2).shape[1:])
    reseed(4)
    seen = augment(x)
    assert len({tuple(one.flatten().tolist()) for one in seen}) > 4
    assert not torch.equal(seen, augment(x))  # fakes are seen through other draws than real ones


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_does_not_see_the_others(name):
    augment = busy(name)
    x = samples(augment, 6, 2)
    other = torch.cat([x[:1], x[1:] * 3 + 1])
    ends = []
    for batch in (x, other):
        reseed(5)
        ends.append(augment(batch)[0])
    assert torch.equal(*ends)


@pytest.mark.parametrize("std", [0.0, 0.1, 2.0])
def test_instance_noise_has_the_deviation_it_is_given(std):
    reseed(0)
    x = torch.linspace(-1, 1, 20_000).unsqueeze(1)
    noise = InstanceNoise(std)(x) - x
    assert noise.mean().abs() < 0.05 * (std or 1)
    assert noise.std().item() == pytest.approx(std, rel=0.03, abs=1e-6)


def test_annealed_noise_ends_at_nothing_and_only_where_it_is_chosen():
    noisy = composed("augment=instance_noise_annealed")
    assert (noisy["augment"]["std"], noisy["anneal"]["to"]) == (0.1, {"augment": {"std": 0.0}})
    assert composed("augment=instance_noise")["anneal"]["to"] == {}


def test_d_sees_new_noise_each_time_and_memory_hears_it():
    gan = game("augment=instance_noise", "augment.std=5.0")
    batch = Batch(torch.zeros(8, 1, 8, 8))
    assert gan.judge(gan.look(batch)).std() > 0
    assert gan.judge(batch).std() == 0


IMPOSSIBLE = [
    (InstanceNoise, {"std": -0.1}, "std can't be negative"),
    (DiffAugment, {"policy": ()}, "policy is empty: .*augment=none"),
    (DiffAugment, {"policy": "color"}, r"policy is a list, as \[color\]"),
    (DiffAugment, {"policy": ("colour",)}, "policy has some of color, translation, cutout"),
    (DiffAugment, {"shift": 1.0}, "shift is a share"),
    (DiffAugment, {"cutout": -0.1}, "cutout is a share"),
    (Pipeline, {"p": 1.1}, "p is a probability"),
    (Pipeline, {"transforms": ("flip",)}, "transforms has some of mirror, turn"),
    (ADA, {"transforms": ()}, "transforms is empty"),
    (ADA, {"target": 1.0}, "target is a mean of signs"),
    (ADA, {"every": 0}, "every is a number of D's updates"),
    (ADA, {"kimg": 0.0}, "kimg is in thousands of images"),
    (ADA, {"most": 0.0}, "most is a probability"),
]


@pytest.mark.parametrize(("kind", "arguments", "said"), IMPOSSIBLE)
def test_impossible_values_are_refused(kind, arguments, said):
    with pytest.raises(ValueError, match=said):
        kind(**arguments)


@pytest.mark.parametrize(
    ("augment", "moves"),
    [
        *[(part("augment", name), False) for name in ("none", "instance_noise")],
        *[(part("augment", name), True) for name in ("diffaugment", "ada", "pipeline")],
        (DiffAugment(policy=("color",)), False),
        (DiffAugment(policy=("cutout",)), True),
        (Pipeline(transforms=("hue", "brightness")), False),
        (ADA(transforms=("brightness", "mirror")), True),
    ],
)
def test_what_moves_pixels_says_so(augment, moves):
    assert augment.moves is moves


# DiffAugment, by its paper's numbers.


def seen_through(word: str, x: torch.Tensor, **rules: float) -> torch.Tensor:
    reseed(6)
    return DiffAugment(policy=(word,), **rules)(x)


def test_colours_stay_within_the_papers_bounds_and_reach_them():
    flat = seen_through("color", torch.zeros(4000, 3, 2, 2)).flatten(1)  # brightness alone
    assert (flat.std(1) == 0).all()
    assert flat.min() == pytest.approx(-0.5, abs=0.01)
    assert flat.max() == pytest.approx(0.5, abs=0.01)
    grey = torch.tensor([-1.0, 1.0]).repeat(4000, 3, 2, 1)  # no saturation: contrast
    spread = seen_through("color", grey)[:, 0, 0].diff()
    assert spread.min() == pytest.approx(1, abs=0.01)
    assert spread.max() == pytest.approx(3, abs=0.01)
    red = torch.tensor([1.0, -0.5, -0.5]).view(1, 3, 1, 1).repeat(4000, 1, 2, 2)
    hue = seen_through("color", red)
    strength = (hue[:, 0] - hue[:, 1])[:, 0, 0]
    assert 0 <= strength.min() < 0.05
    assert 4 < strength.max() < 4.5  # 1.5 · 2 · 1.5


@pytest.mark.parametrize("side", [4, 8, 28])
def test_images_move_by_whole_pixels_up_to_an_eighth_of_a_side(side):
    x = torch.zeros(2000, 1, side, side)
    middle = side // 2
    x[:, :, middle, middle] = 1
    reach = int(side / 8 + 0.5)
    seen = seen_through("translation", x, fill=-1.0)
    assert ((seen == 1).flatten(1).sum(1) == 1).all()
    places = (seen == 1).nonzero()[:, 2:] - middle
    assert set(places.flatten().tolist()) == set(range(-reach, reach + 1))
    rows = (seen == -1).all(3).sum((1, 2))  # what came in from above or below
    assert torch.equal(rows, places[:, 0].abs())


@pytest.mark.parametrize("side", [4, 7, 8, 28])
def test_a_box_of_half_a_side_is_cut_out(side):
    hidden = seen_through("cutout", torch.ones(4000, 2, side, side)) == 0
    assert torch.equal(hidden[:, 0], hidden[:, 1])
    box = int(side / 2 + 0.5)
    heights, widths = hidden[:, 0].any(2).sum(1), hidden[:, 0].any(1).sum(1)
    assert torch.equal(hidden[:, 0].sum((1, 2)), heights * widths)
    assert (heights.max(), widths.max()) == (box, box)
    assert heights.min() == box // 2  # its middle stays in the image
    assert hidden[:, 0].any(0).all()


# The transformations, by hand.

ONE = torch.zeros(1, 1, 4, 4)


def placed(*rows: tuple[float, float, float], n: int = 1) -> torch.Tensor:
    return torch.tensor([[*rows, (0.0, 0.0, 1.0)]]).repeat(n, 1, 1)


def test_whole_pixels_and_quarters_are_moved_exactly():
    x = torch.randn(2, 3, 5, 5)
    assert torch.equal(resampled(x, placed((-1, 0, 0), (0, 1, 0), n=2)), x.flip(3))
    assert torch.equal(resampled(x, placed((0, -1, 0), (1, 0, 0), n=2)), x.rot90(1, (2, 3)))
    shifted = resampled(x, placed((1, 0, 2), (0, 1, -1), n=2))
    assert torch.equal(shifted[:, :, 1:, :3], x[:, :, :4, 2:])
    assert torch.equal(shifted[:, :, 0], shifted[:, :, 1])  # mirrored at the outer edge
    assert torch.equal(shifted[:, :, 1:, 3:], x[:, :, :4, [4, 3]])


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 6, 11), (2, 1, 5)])
def test_between_pixels_it_agrees_with_the_grid_sampling_of_torch(shape):
    reseed(7)
    x = torch.randn(6, *shape, dtype=torch.float64)
    _, height, width = shape
    theta = torch.eye(3).repeat(6, 1, 1)
    theta[:, :2] += 0.5 * torch.randn(6, 2, 3)
    theta[:, :2, 2] *= torch.tensor([width, height])
    relative = theta[:, :2].double()  # torch's places are shares of half a side
    relative[:, 0, 1] *= height / width
    relative[:, 1, 0] *= width / height
    relative[:, :, 2] *= 2 / torch.tensor([width, height])
    grid = affine_grid(relative, list(x.shape), align_corners=False)
    wanted = grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    assert torch.allclose(resampled(x, theta), wanted, atol=2e-5)


def test_maps_are_composed_in_the_order_in_which_things_happen():
    """An image that is scaled and then moved: its places are moved back first."""
    moved, scaled = placed((1, 0, 3), (0, 1, 0)), placed((2, 0, 0), (0, 2, 0))
    found = composed_maps([lambda draws: scaled, lambda draws: moved], Draws(ONE, 0), 3)
    assert found @ torch.tensor([1.0, 1.0, 1.0]) == pytest.approx(torch.tensor([[8.0, 2.0, 1.0]]))


def one(word: str, n: int, channels: int = 3, p: float = 1.0) -> torch.Tensor:
    """Colours `(n, channels)` after one transformation of a saturated one."""
    reseed(8)
    x = torch.tensor([0.5, -0.25, 0.0])[:channels].view(1, -1, 1, 1).repeat(n, 1, 1, 1)
    return transformed(x, p, (word,))[:, :, 0, 0]


def test_colour_transformations_change_what_they_say():
    color = torch.tensor([0.5, -0.25, 0.0])
    assert torch.allclose(one("brightness", 9).diff(dim=1), color.diff(), atol=1e-6)
    ratio = one("contrast", 9) / 0.5
    assert torch.allclose(one("contrast", 9), ratio[:, :1] * color, atol=1e-6)
    hue = one("hue", 9)
    assert torch.allclose(hue.sum(1), color.sum(), atol=1e-6)
    assert torch.allclose(hue.norm(dim=1), color.norm(), atol=1e-6)
    assert hue[:, 0].std() > 0.1
    faded = one("saturation", 9)
    apart = faded - faded.mean(1, keepdim=True)
    assert torch.allclose(faded.mean(1), color.mean(), atol=1e-6)
    cosine = (apart @ (color - color.mean())) / apart.norm(dim=1)
    assert torch.allclose(cosine, (color - color.mean()).norm(), atol=1e-5)
    negative = one("invert", 50)
    turned = (negative - color).abs().sum(1) > 0
    assert 10 < turned.sum() < 40
    assert torch.allclose(negative[turned], color - 2 * color.mean(), atol=1e-6)


@pytest.mark.parametrize("word", ["hue", "saturation"])
def test_one_channel_has_no_colour_to_change(word):
    assert torch.allclose(one(word, 9, channels=1), torch.tensor(0.5), atol=1e-6)


def test_a_colour_matrix_is_applied_to_every_pixel():
    x = torch.randn(2, 2, 3, 3)
    matrix = torch.tensor([[[0.0, 2.0, 1.0], [1.0, 0.0, -1.0], [0.0, 0.0, 1.0]]]).repeat(2, 1, 1)
    assert torch.equal(recolored(x, matrix)[:, 0], 1 + 2 * x[:, 1])
    assert torch.equal(recolored(x, matrix)[:, 1], x[:, 0] - 1)


@pytest.mark.parametrize("word", WORDS)
def test_a_share_p_of_the_samples_is_transformed(word):
    n, p = 4000, 0.3
    x = torch.randn(1, 3, 9, 9, generator=torch.Generator().manual_seed(1)).repeat(n, 1, 1, 1)
    reseed(9)
    changed = (transformed(x, p, (word,)) != x).flatten(1).any(1).float().mean()
    # a mirror, an inversion and a turn may come to nothing; so may a shift of less than a pixel
    idle = {"mirror": 1 / 2, "invert": 1 / 2, "turn": 1 / 4, "shift": (1 / 2.25) ** 2}
    share = p * (1 - idle.get(word, 0))
    assert changed.item() == pytest.approx(share, abs=4 * math.sqrt(share / n))


# The feedback of ADA.


def heard(*signs: list[float], **rules: float) -> ADA:
    augment = ADA(every=2, kimg=0.1, **rules)
    for outputs in signs:
        augment.remember(torch.tensor(outputs), torch.zeros(len(outputs)))
    return augment


def values(augment: ADA) -> tuple[float, float]:
    return tuple(pytest.approx(float(augment.memory[key])) for key in ("p", "sign"))


def test_p_rises_while_d_is_sure_and_falls_while_it_is_not():
    assert values(heard([1, 1, 1, 1])) == (0, 0)  # after every second update alone
    sure, unsure = [3.0, 0.1, 7.0, 2.0], [1.0, 1.0, -1.0, -1.0]
    assert values(heard(sure, sure)) == (8 / 100, 1)
    assert values(heard(sure, unsure)) == (0, 0.5)  # below 0.6: down, but not below 0
    assert values(heard(sure, sure, sure, sure)) == (16 / 100, 1)
    assert values(heard(sure, sure, sure, sure, unsure, unsure)) == (8 / 100, 0)
    assert values(heard(*20 * [sure])) == (0.8, 1)
    assert values(heard(*20 * [sure], most=0.1)) == (0.1, 1)
    assert values(heard(sure, unsure, target=0.4)) == (8 / 100, 0.5)


def test_batches_of_any_size_count_by_their_images():
    assert values(heard([1.0], [-1.0, 1.0, 1.0])) == (0, 0.5)
    assert values(heard([1.0], [-1.0, 1.0, 1.0, 1.0], target=0.5)) == (5 / 100, 0.6)


def test_sureness_is_told_from_the_border_of_the_loss_or_from_the_fakes():
    high = [0.7, 0.8]
    assert values(heard(high, high, border=0.5)) == (4 / 100, 1)
    assert values(heard(high, high, border=0.75)) == (0, 0)
    augment = ADA(every=1, kimg=0.1, border=None)
    augment.remember(torch.tensor([5.0, 5.0]), torch.tensor([6.0, 4.0]))
    assert values(augment) == (0, 0)
    augment.remember(torch.tensor([-5.0, -5.0]), torch.tensor([-6.0, -7.0]))
    assert values(augment) == (2 / 100, 1)


def test_a_border_that_is_not_the_losss_is_refused():
    augment = ADA()
    assert isinstance(augment, Listens)
    assert augment.refuses_border(0.0) is None
    assert augment.refuses_border(-0.2) is None  # label smoothing
    assert "augment.border=0.5" in augment.refuses_border(0.5)
    assert "augment.border=null" in augment.refuses_border(None)
    assert ADA(border=None).refuses_border(None) is None
    assert ADA(border=None).refuses_border(0.5) is None
    assert ADA(border=0.5).refuses_border(0.5) is None


def test_two_games_do_not_share_what_they_heard():
    a, b = ADA(), ADA()
    a.remember(torch.ones(4), torch.ones(4))
    assert b.memory["_images"] == 0


@pytest.mark.parametrize("name", ["ada", "diffaugment", "pipeline"])
def test_it_can_be_differentiated_twice(name):
    """As dynamics that differentiate a gradient ask for."""
    gan = game(f"augment={name}", "dynamics=consensus")
    gan.augment = busy(name)
    dynamics = part("dynamics", "consensus")
    before = {key: value.clone() for key, value in gan.G.net.state_dict().items()}
    dynamics.step(gan, batches(), 0)
    assert any(not torch.equal(before[k], v) for k, v in gan.G.net.state_dict().items())
