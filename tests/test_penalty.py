"""What single penalties do: their places, their memory, their views, by hand."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from gan_cli.batch import Batch
from gan_cli.penalty import Seen
from gan_cli.penalty.bcr import BalancedConsistency
from gan_cli.penalty.cr import Consistency
from gan_cli.penalty.dragan import DRAGAN
from gan_cli.penalty.lecam import LeCam
from gan_cli.penalty.max_gp import MaxGradientPenalty
from gan_cli.penalty.orthogonal import Orthogonal
from gan_cli.penalty.view import another_view
from gan_cli.penalty.wgan_div import WassersteinDivergence

POINTS = Batch(torch.zeros(8, 2))


def mass(x, c=None):
    """Blind to where things are."""
    return x.flatten(1).sum(1)


def test_dragan_looks_around_real_samples_on_both_sides():
    places = []

    def D(x, c):
        places.append(x.detach().clone())
        return x.sum(1)

    real = Batch(torch.tensor([[-3.0], [3.0]]).repeat(2000, 1))  # std 3
    fake = Batch(torch.full((4000, 1), 100.0))
    DRAGAN()(Seen(D, real, fake, torch.zeros(4000), torch.zeros(4000)))
    off = places[0] - real.x
    assert 1.4 < off.max() <= 1.5
    assert -1.5 <= off.min() < -1.4
    assert abs(off.mean()) < 0.05


def test_max_gp_charges_all_for_the_steepest():
    """D(x) = ‖x‖²/2 between a point and itself: its slope there is ‖x‖."""
    x = torch.tensor([[3.0, 4.0], [0.1, 0.0], [1.0, 0.0]])
    batch = Seen(lambda x, c: x.square().sum(1) / 2, Batch(x), Batch(x), x[:, 0], x[:, 0])
    assert MaxGradientPenalty()(batch).tolist() == pytest.approx([2.5] * 3)


def test_the_best_slope_under_the_wasserstein_divergence():
    """A critic of slope s tells point masses at distance 1 apart by s - k s⁶: best at 0.608."""
    s = torch.tensor((1 / 12) ** 0.2, dtype=torch.float64, requires_grad=True)
    real, fake = Batch(torch.ones(1, 1).double()), Batch(torch.zeros(1, 1).double())
    zero = torch.zeros(1)
    paid = WassersteinDivergence()(Seen(lambda x, c: s * x[:, 0], real, fake, zero, zero))
    (gradient,) = torch.autograd.grad(s - paid.sum(), s)
    assert float(gradient) == pytest.approx(0, abs=1e-9)
    assert float(s.detach()) == pytest.approx(0.608, abs=1e-3)


# LeCam: the anchors.


def test_lecam_pays_nothing_before_it_has_heard_anything():
    batch = Seen(mass, POINTS, POINTS, 50 * torch.ones(8), -50 * torch.ones(8))
    assert LeCam()(batch).tolist() == [0] * 8


def test_the_anchors_of_lecam_are_running_means_freed_from_their_start():
    """By hand: after 1 then 3 with decay 0.99, (0.99·1 + 3) / 1.99."""
    lecam = LeCam()
    lecam.remember(torch.tensor([0.0, 2.0]), torch.tensor([-4.0, -4.0]))
    assert [float(a) for a in lecam.anchors()] == pytest.approx([1, -4])
    lecam.remember(torch.tensor([3.0, 3.0]), torch.tensor([-2.0, -2.0]))
    real, fake = (0.99 * 1 + 3) / 1.99, (0.99 * -4 - 2) / 1.99
    assert [float(a) for a in lecam.anchors()] == pytest.approx([real, fake])
    assert all(value.dtype == torch.float32 for value in lecam.memory.values())
    assert all(value.shape == () for value in lecam.memory.values())


@pytest.mark.parametrize(
    ("one_sided", "paid"), [(True, [0.3 * (9 + 16), 0.0]), (False, [0.3 * (9 + 16), 0.3 * 5])]
)
def test_lecam_pays_for_being_on_its_own_side_of_the_others_anchor(one_sided, paid):
    """Anchors 1 (real) and -1 (fake): D(x) = 2 is 3 above, D(G(z)) = -3 is 4 below."""
    lecam = dataclasses.replace(LeCam(), one_sided=one_sided)
    lecam.remember(torch.ones(4), -torch.ones(4))
    d_real, d_fake = torch.tensor([2.0, -2.0]), torch.tensor([-3.0, 3.0])
    batch = Seen(mass, POINTS, POINTS, d_real, d_fake)
    assert lecam(batch).tolist() == pytest.approx(paid)


def test_with_wgan_and_lecam_the_best_d_tells_the_lecam_divergence():
    """E D(x) - E D(G(z)) is (1 / 2λ - α) ∫ (p - q)² / (p + q) at D's optimum, anchors ±α."""
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.3, 0.6])
    weight, alpha = 0.3, 0.5
    lecam = LeCam(weight=weight, one_sided=False)
    lecam.remember(alpha * torch.ones(4), -alpha * torch.ones(4))
    said = ((p - q) / (p + q) * (1 / (2 * weight) - alpha)).requires_grad_()
    zero = torch.zeros(3)
    above = lecam(Seen(mass, POINTS, POINTS, said, zero)) - lecam(
        Seen(mass, POINTS, POINTS, zero, zero)
    )
    below = lecam(Seen(mass, POINTS, POINTS, zero, said)) - lecam(
        Seen(mass, POINTS, POINTS, zero, zero)
    )
    loss = ((q - p) * said + p * above + q * below).sum()
    (gradient,) = torch.autograd.grad(loss, said)
    assert gradient.tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    divergence = ((p - q).square() / (p + q)).sum()
    told = ((p - q) * said.detach()).sum()
    assert float(told) == pytest.approx((1 / 0.6 - 0.5) * float(divergence), rel=1e-5)


def test_two_lecams_do_not_share_a_memory():
    one, other = LeCam(), LeCam()
    one.remember(torch.ones(4), torch.zeros(4))
    assert float(other.memory["total"]) == 0


# Consistency: what does not change D's mind costs nothing.


def corner(x, c=None):
    """Sees one place alone."""
    return x[:, 0, 2, 3]


def framed(n: int) -> Batch:
    """Images of 16×16 with an empty frame two pixels wide: as far as 1/8 reaches."""
    x = torch.zeros(n, 3, 16, 16)
    x[..., 2:-2, 2:-2] = torch.randn(n, 3, 12, 12)
    return Batch(x)


@pytest.mark.parametrize("kind", [Consistency, BalancedConsistency])
def test_a_d_that_ignores_shifts_pays_nothing(kind):
    real, fake = framed(32), framed(32)
    for D, free in ((mass, True), (corner, False)):
        paid = kind()(Seen(D, real, fake, D(real.x), D(fake.x)))
        assert (float(paid.max()) < 1e-6) is free


def test_cr_is_about_real_samples_and_bcr_about_both():
    """D(x) = x on points: λ δ² with δ from N(0, 0.05²), once and twice."""
    torch.manual_seed(0)
    x = Batch(torch.zeros(20_000, 1, dtype=torch.float64))
    batch = Seen(lambda x, c: x[:, 0], x, x, torch.zeros(20_000), torch.zeros(20_000))
    assert float(Consistency()(batch).mean()) == pytest.approx(10 * 0.05**2, rel=0.05)
    assert float(BalancedConsistency()(batch).mean()) == pytest.approx(20 * 0.05**2, rel=0.05)
    of_fakes = dataclasses.replace(BalancedConsistency(), real=0.0)
    assert float(of_fakes(batch).mean()) == pytest.approx(10 * 0.05**2, rel=0.05)


def test_images_are_mirrored_only_when_asked():
    x = torch.arange(4.0).repeat(400, 1, 4, 1)
    assert torch.equal(another_view(x, shift=0.0, mirror=False, jitter=0.0), x)
    views = another_view(x, shift=0.0, mirror=True, jitter=0.0)
    turned = (views == x.flip(3)).all(dim=(1, 2, 3))
    assert torch.equal(views[~turned], x[~turned])
    assert 140 < int(turned.sum()) < 260


def test_a_shift_goes_as_far_as_it_says_each_way_and_repeats_the_border():
    torch.manual_seed(0)
    x = torch.zeros(500, 1, 16, 16)
    x[:, :, 8, 8] = 1
    views = another_view(x, shift=0.125, mirror=False, jitter=0.0)
    places = {tuple(place) for place in views.nonzero()[:, 2:].tolist()}
    assert places == {(row, column) for row in range(6, 11) for column in range(6, 11)}
    edge = torch.zeros(50, 1, 16, 16)
    edge[:, :, 0] = 1
    moved = another_view(edge, shift=0.125, mirror=False, jitter=0.0)
    assert {int(n) for n in moved.sum(dim=(1, 2, 3)) / 16} <= {0, 1, 2, 3}
    assert int((moved.sum(dim=(1, 2, 3)) / 16).max()) == 3


# Orthogonality: of D's weights.


def test_orthonormal_rows_pay_nothing_and_others_what_the_formula_says():
    """Rows (3, 4), (4, 3) and (0, 1): products 24, 4 and 3, each twice; lengths² 25, 25, 1."""
    D = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    plain, whole = Orthogonal(), dataclasses.replace(Orthogonal(), diagonal=True)
    x = Batch(torch.zeros(4, 2))
    batch = Seen(D, x, x, torch.zeros(4), torch.zeros(4))
    with torch.no_grad():
        D[2].weight.copy_(torch.tensor([[0.0, 0.6, 0.8]]))
        D[0].weight.copy_(torch.tensor([[3.0, 4.0], [4.0, 3.0], [0.0, 1.0]]))
    off = 2 * (24**2 + 4**2 + 3**2)
    assert plain(batch).tolist() == pytest.approx([1e-4 * off] * 4)
    assert whole(batch).tolist() == pytest.approx([1e-4 * (off + 2 * 24**2)] * 4)
    orthonormal = nn.Conv2d(3, 5, 2)
    nn.init.orthogonal_(orthonormal.weight)
    batch = dataclasses.replace(batch, D=orthonormal)
    assert whole(batch).detach().max() < 1e-12


def test_a_d_without_weights_has_no_orthogonality():
    x = Batch(torch.zeros(4, 2))
    with pytest.raises(TypeError, match="weights"):
        Orthogonal()(Seen(mass, x, x, torch.zeros(4), torch.zeros(4)))
    assert "penalty=r1" in Orthogonal().refuses(nn.Flatten())
