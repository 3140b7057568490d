"""Starting from a trained generator: weights that fit, layers of D that stay, and refusals."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from gan_cli import build, cli_keys, container, state, train, warm
from gan_cli.average import Averaging
from gan_cli.container import Checkpoint
from gan_cli.errors import BadFile, UserMistake
from gan_cli.player import Player
from gan_cli.sampler import Sampler
from gan_cli.space import Space
from tests.conftest import CONF
from tests.games import TINY, composed, part

HERE = Path("there/run")
SHAPE = (1, 8, 8)
GROUPS = [path.name for path in CONF.iterdir() if path.is_dir()]


def players(*overrides: str, classes: int = 0, half_life: float = 1000) -> dict[str, Player]:
    """G with its average and D of a model, with some classes."""
    made = build.parts(composed(*overrides))
    space = Space(SHAPE, tuple(map(str, range(classes))))
    D = made.constraint.wrap(made.condition.discriminator(made.model, space, 1))
    nets = {"G": made.condition.generator(made.model, space), "D": D}
    average = Averaging(half_life) if half_life else None
    for net in nets.values():
        for tensor in (t for t in net.state_dict().values() if t.is_floating_point()):
            nn.init.normal_(tensor)
    return {
        name: Player(net, made.optimizer, 0.01, average if name == "G" else None)
        for name, net in nets.items()
    }


def saved(source: dict[str, Player], classes: int = 0, without: str = "") -> Checkpoint:
    tensors = {k: v for name, player in source.items() for k, v in player.state(name).items()}
    kept = {k: v for k, v in tensors.items() if k.partition("/")[0] != without}
    kept = {k: v.clone() for k, v in kept.items()}
    space = {"shape": list(SHAPE), "classes": [str(k) for k in range(classes)]}
    return Checkpoint(kept, {"kind": "train", "step": 70, "space": space}, "0" * 64)


def learn(source: dict[str, Player]) -> dict[str, Player]:
    """Move everything, so that G's average is not G."""
    for player in source.values():
        player.move([torch.ones_like(weight) for weight in player.weights], 64)
    return source


def same(a: nn.Module | None, b: nn.Module | None) -> bool:
    assert a is not None
    assert b is not None
    theirs = b.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in a.state_dict().items())


MLP = ["model=mlp", "model.width=12"]
KINDS = {
    "mlp": MLP,
    "dcgan": ["model=dcgan", "model.width=4"],
    "spectral": [*MLP, "constraint=spectral", "critic_norm=none"],
    "weight norm": [*MLP, "constraint=weight_norm", "critic_norm=none"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_everyone_starts_where_the_others_were(kind):
    source, mine = learn(players(*KINDS[kind])), players(*KINDS[kind])
    told = warm.start(mine, saved(source), HERE, 0)
    assert told == ["starting from there/run (step 70): G, the average of G, D"]
    assert same(source["G"].net, mine["G"].net)
    assert same(source["D"].net, mine["D"].net)
    assert same(source["G"].average, mine["G"].average)
    assert not same(mine["G"].net, mine["G"].average)
    assert (mine["G"].updates, mine["G"].images) == (0, 0)
    assert not mine["G"].optimizer.state


def test_what_was_not_averaged_starts_its_average_where_it_is():
    source, mine = learn(players(*MLP, half_life=0)), players(*MLP)
    assert warm.start(mine, saved(source), HERE, 0)[0].endswith("(step 70): G, D")
    assert same(source["G"].net, mine["G"].average)


def test_what_is_not_averaged_here_leaves_the_average_there():
    source, mine = learn(players(*MLP)), players(*MLP, half_life=0)
    warm.start(mine, saved(source), HERE, 0)
    assert same(source["G"].net, mine["G"].net)
    assert mine["G"].average is None


def test_an_average_alone_is_a_generator_too():
    source, mine = learn(players(*MLP)), players(*MLP)
    warm.start(mine, saved(source, without="G"), HERE, 0)
    assert same(source["G"].average, mine["G"].net)


def test_without_d_in_the_file_d_starts_anew():
    source, mine = players(*MLP), players(*MLP)
    before = {name: value.clone() for name, value in mine["D"].net.state_dict().items()}
    told = warm.start(mine, saved(source, without="D"), HERE, 0)
    assert told[1:] == ["there/run holds no D, which starts anew"]
    assert all(torch.equal(before[k], v) for k, v in mine["D"].net.state_dict().items())


def test_layers_that_stay_must_come_from_somewhere():
    mine = players(*MLP)
    warm.freeze(mine["D"].net, 1)
    with pytest.raises(UserMistake, match="holds no D, of which freeze_d .* a run directory"):
        warm.start(mine, saved(players(*MLP), without="D"), HERE, 0)


def test_a_file_of_nobody_is_refused():
    with pytest.raises(UserMistake, match="there/run holds none of G, D"):
        warm.start(players(*MLP), Checkpoint({}, {"kind": "train"}, ""), HERE, 0)


OTHERS = {
    "width": (["model=mlp", "model.width=13"], r"G/\S+ is .*13.* there and .*12.* here"),
    "depth": ([*MLP, "model.depth=1"], r"G/\S+ is missing there"),
    "deeper": ([*MLP, "model.depth=4"], r"G/\S+ has no place here"),
    "constraint": ([*MLP, "constraint=spectral", "critic_norm=none"], r"D/\S+ is missing there"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_other_networks_are_refused_by_the_tensor_that_differs(other):
    overrides, said = OTHERS[other]
    mine = players(*MLP)
    before = {k: v.clone() for name, p in mine.items() for k, v in p.state(name).items()}
    with pytest.raises(UserMistake, match=said) as refusal:
        warm.start(mine, saved(players(*overrides)), HERE, 0)
    assert "there/run is of other networks" in str(refusal.value)
    assert ("generator.safetensors" in str(refusal.value)) == (other == "constraint")
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 160
    after = {k: v for name, p in mine.items() for k, v in p.state(name).items()}
    assert all(torch.equal(before[k], v) for k, v in after.items())  # all or nothing


def test_another_type_of_number_is_refused():
    found = saved(players(*MLP))
    key = next(k for k in found.tensors if k.startswith("G/"))
    found.tensors[key] = found.tensors[key].double()
    with pytest.raises(UserMistake, match=r"torch\.float64 there and torch\.float32 here"):
        warm.start(players(*MLP), found, HERE, 0)


def test_of_other_classes_what_belongs_to_classes_starts_anew():
    conditional = ["model=mlp", "model.width=12", "condition=projection"]
    source, mine = players(*conditional, classes=5), players(*conditional, classes=3)
    fresh = {k: v.clone() for name, p in mine.items() for k, v in p.state(name).items()}
    told = warm.start(mine, saved(source, classes=5), HERE, 3)
    assert sorted(note.split(": ")[1] for note in told[1:]) == ["5 classes there, 3 here"] * 3
    assert torch.equal(mine["D"].net.state_dict()["embedding.weight"], fresh["D/embedding.weight"])
    key = next(k for k, v in mine["G"].net.state_dict().items() if v.dim() == 2)
    z_dim = composed(*conditional)["model"]["z_dim"]
    got, there = mine["G"].net.state_dict()[key], source["G"].net.state_dict()[key]
    assert torch.equal(got[:, :z_dim], there[:, :z_dim])
    assert torch.equal(got[:, z_dim:], fresh[f"G/{key}"][:, z_dim:])


def test_as_many_classes_are_taken_over():
    conditional = ["model=mlp", "model.width=12", "condition=projection"]
    source, mine = players(*conditional, classes=3), players(*conditional, classes=3)
    assert len(warm.start(mine, saved(source, classes=3), HERE, 3)) == 1
    assert same(source["D"].net, mine["D"].net)


# Layers that stay.


@pytest.mark.parametrize("kind", KINDS)
def test_the_lowest_layers_stay_and_the_others_learn(kind):
    made = build.parts(composed(*KINDS[kind]))
    D = made.constraint.wrap(made.model.discriminator(SHAPE))
    count = sum(isinstance(module, nn.Conv2d | nn.Linear) for module in D.modules())
    for layers in range(count):
        D.requires_grad_(True)
        warm.freeze(D, layers)
        stay = {name for name, p in D.named_parameters() if not p.requires_grad}
        owners = {name.split(".parametrizations.")[0].removesuffix(".bias") for name in stay}
        weighted = [n for n, m in D.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        held = [n for n in weighted if n in owners or f"{n}.weight" in stay]
        assert held == weighted[:layers]
        assert bool(stay) == bool(layers)
    with pytest.raises(ValueError, match=f"D has {count} layers.*0 to {count - 1}"):
        warm.freeze(D, count)
    with pytest.raises(ValueError, match="0 to"):
        warm.freeze(D, -1)


def test_norms_stay_with_the_layer_before_them():
    D = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.BatchNorm1d(4))
    warm.freeze(D, 1)
    assert [p.requires_grad for p in D.parameters()] == 4 * [False] + 4 * [True]


def test_a_player_leaves_them_alone_and_keeps_them():
    D = part("model", "mlp").discriminator(SHAPE)
    warm.freeze(D, 1)
    player = Player(D, part("optimizer", "adamw"), 0.1)
    before = {name: value.clone() for name, value in D.named_parameters()}
    player.move([torch.ones_like(weight) for weight in player.weights], 64)
    moved = {name for name, value in D.named_parameters() if not torch.equal(before[name], value)}
    assert moved == {name for name, value in D.named_parameters() if value.requires_grad}
    assert {f"D/{name}" for name in before} <= player.state("D").keys()


# The whole way, by the command.

SMALL = [*TINY, "model=mlp", "model.width=16", "model.g_norm=none", "dataset=digits"]


def trained(directory: Path, *overrides: str) -> Path:
    """A run of that directory, of a few steps."""
    asked = [*SMALL, *overrides, f"run_dir={directory}"]
    train.launch(composed(*asked), {"model": "mlp"}, asked, ["gan", "train", *asked])
    return directory


def newest(directory: Path) -> Checkpoint:
    found = state.newest(directory / "checkpoints")
    assert found is not None
    return found.checkpoint


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A run to start from."""
    return trained(tmp_path_factory.mktemp("source") / "run", "optimizer.lr=0.05")


@pytest.mark.parametrize("file", ["", "generator.safetensors", "checkpoints/step-00000002"])
def test_a_run_starts_with_the_samples_of_the_other(file, source, tmp_path, monkeypatch):
    path = source / f"{file}.safetensors" if "step" in file else source / file
    monkeypatch.setattr(train, "train", lambda session, looks, *_: looks.kept(0))
    run = trained(tmp_path / "run", f"init_from={path}")
    there, here = (Sampler.load(place).sample(8, seed=0) for place in (source, run))
    assert torch.equal(there, here)
    assert newest(run).meta["init_from"] == container.read(path if file else _last(source)).sha256
    before, after = newest(source).tensors, newest(run).tensors
    kept = [torch.equal(before[key], after[key]) for key in before if key.startswith("D/")]
    assert all(kept) == (file != "generator.safetensors")


def _last(run: Path) -> Path:
    return max((run / "checkpoints").glob("step-*"))


def test_a_resumed_run_goes_on_from_itself(source, tmp_path, capsys):
    copy = trained(tmp_path / "copy")
    straight = trained(tmp_path / "straight", f"init_from={copy}", "steps=4")
    resumed = trained(tmp_path / "resumed", f"init_from={copy}")
    for file in copy.rglob("*.safetensors"):
        file.unlink()
    capsys.readouterr()
    trained(tmp_path / "resumed", f"init_from={copy}", "steps=4")
    assert "starting from" not in "".join(capsys.readouterr())
    a, b = newest(straight), newest(resumed)
    assert a.tensors.keys() == b.tensors.keys()
    assert all(torch.equal(a.tensors[key], b.tensors[key]) for key in a.tensors)
    assert a.meta["init_from"] == b.meta["init_from"]


def test_layers_that_stay_are_those_of_the_other_run(source, tmp_path):
    run = trained(tmp_path / "run", f"init_from={source}", "freeze_d=1", "optimizer.lr=0.05")
    before, after = newest(source).tensors, newest(run).tensors
    D = part("model", "mlp").discriminator(SHAPE)
    weights = [f"D/{name}" for name, weight in D.named_parameters() if weight.dim() > 1]
    assert [key for key in weights if torch.equal(before[key], after[key])] == weights[:1]


def refused(tmp_path: Path, kind: type[Exception], said: str, *overrides: str) -> None:
    with pytest.raises(kind, match=said) as refusal:
        trained(tmp_path / "refused", *overrides)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "refused").exists()


def test_what_cannot_be_is_refused_before_training_and_leaves_nothing(source, tmp_path):
    start = f"init_from={source}"
    refused(tmp_path, UserMistake, r"type model\.width=16 as there$", start, "model.width=17")
    refused(tmp_path, UserMistake, "type model=mlp as there$", start, "model=dcgan")
    refused(tmp_path, UserMistake, "D/.*type that run's settings", start, "constraint=spectral")
    refused(tmp_path, UserMistake, "freeze_d: D has 4 layers", start, "freeze_d=4")
    refused(tmp_path, BadFile, "nowhere is not there: a run dir", "init_from=outputs/nowhere")
    generator = f"init_from={source / 'generator.safetensors'}"
    refused(tmp_path, UserMistake, "holds no D, of which freeze_d", generator, "freeze_d=1")


def test_a_long_path_and_a_strangers_settings_stay_one_short_line():
    source, mine = saved(players(*OTHERS["width"][0])), players(*MLP)
    args = {"width": 10**40, "x" * 99: "[y]\n" * 99, "z": None}
    source.meta["model"] = {"name": "mlp\x1b", "args": args}
    about = {"model": {"name": "mlp", "args": {"width": 12}}}
    with pytest.raises(UserMistake, match="type model=mlp. as there|type model=mlp. ") as refusal:
        warm.start(mine, source, Path("a" * 150), 0, about)
    said = str(refusal.value)
    assert said.isprintable()
    assert len(said) < 160


@pytest.mark.parametrize("meta", [None, 3, {"name": None}, {"args": [1]}])
def test_settings_that_a_file_does_not_say_are_not_told(meta):
    source = saved(players(*OTHERS["width"][0]))
    source.meta["model"] = meta
    with pytest.raises(UserMistake, match="is of other networks"):
        warm.start(players(*MLP), source, HERE, 0, {"model": {"name": "mlp", "args": {}}})


def test_layers_of_nobody_cannot_stay():
    (problem,) = cli_keys.check(composed("freeze_d=1"), GROUPS)
    assert "init_from=RUN" in problem
    assert cli_keys.check(composed("freeze_d=1", "init_from=there"), GROUPS) == []


def test_a_pickle_is_not_opened(tmp_path):
    file = tmp_path / "G.pt"
    file.write_bytes(pickle.dumps({"G/first.weight": [1.0]}))
    refused(tmp_path, BadFile, "a pickle file", f"init_from={file}")


def test_a_border_of_another_loss_is_refused(tmp_path):
    refused(tmp_path, UserMistake, r"augment\.border=null", "augment=ada", "loss=wgan")
    refused(tmp_path, UserMistake, r"augment\.border=0\.5", "augment=ada", "loss=lsgan")
