"""The law of conf/: a YAML is one constructor call, with every argument spelled out."""

from __future__ import annotations

import importlib
import inspect

import pytest
from omegaconf import OmegaConf

from gan_cli import build
from tests.conftest import CONF, entries
from tests.games import composed, spec

GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir())
COMPONENTS = [
    (group, name)
    for group in GROUPS
    if group not in ("experiment", "hydra")
    for name in entries(group)
    if (group, name) not in {(several, "none") for several in build.LISTS}
    and (group != "discriminator" or name == "patch")  # the others are those of conf/model
]
HOME = {"discriminator": "model"}  # a D of another family is a model too


def spelled(group: str, name: str) -> dict:
    """The constructor call in the file itself."""
    raw = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{name}.yaml"), resolve=False)
    found = raw.get(group, raw)
    return found.get(name, found)  # penalties stand under their own names


def maker(target: str):
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize(("group", "name"), COMPONENTS)
def test_every_argument_is_spelled_out_and_no_other(group, name):
    spec = spelled(group, name)
    parameters = inspect.signature(maker(spec["_target_"])).parameters
    assert spec.keys() - {"_target_"} == parameters.keys()


def module_of(group: str, name: str) -> str:
    return spelled(group, name)["_target_"].rsplit(".", 2)[-2]


@pytest.mark.parametrize(
    ("group", "name"), [entry for entry in COMPONENTS if module_of(*entry) == entry[1]]
)
def test_defaults_live_in_python_and_are_spelled_in_yaml(group, name):
    """The entry that bears its file's name repeats the defaults; a variant of it may differ."""
    found = spec(group, name)
    for key, parameter in inspect.signature(maker(found["_target_"])).parameters.items():
        here = tuple(found[key]) if isinstance(found[key], list) else found[key]
        if parameter.default is not inspect.Parameter.empty and not _interpolated(group, name, key):
            assert here == parameter.default, f"{group}/{name}.yaml: {key}"


def _interpolated(group: str, name: str, key: str) -> bool:
    return "${" in str(spelled(group, name)[key])


@pytest.mark.parametrize(("group", "name"), COMPONENTS)
def test_the_same_word_names_the_choice_the_file_and_the_module(group, name):
    """`loss=wgan` is conf/loss/wgan.yaml is gan_cli/loss/wgan.py; a variant, its original's."""
    target = spelled(group, name)["_target_"]
    if group != "hardware":
        assert target.startswith(f"gan_cli.{HOME.get(group, group)}.")


# What a name brings with it, and that what the user says wins.
COMPANIONS = [
    ("wgan", {"constraint": "clip.Clip", "optimizer": "rmsprop.RMSprop"}, 5, 5e-5),
    ("wgan_gp", {"penalty.gp": "gp.GradientPenalty", "optimizer": "adam.Adam"}, 5, 1e-4),
    ("hinge", {"constraint": "spectral.Spectral", "schedule": "linear.Linear"}, 5, 2e-4),
    ("lsgan", {"constraint": "free.Free"}, 1, 2e-4),
    ("r3gan", {"penalty.r1_r3gan": "r1.R1", "penalty.r2_r3gan": "r2.R2"}, 1, 2e-4),
    ("ebgan", {"model": "autoencoder.Autoencoder"}, 1, 2e-4),
    ("nonsaturating", {"constraint": "free.Free", "optimizer": "adam.Adam"}, 1, 2e-4),
]


@pytest.mark.parametrize(("loss", "brings", "n_critic", "lr"), COMPANIONS)
def test_a_loss_brings_the_companions_of_its_paper(loss, brings, n_critic, lr):
    config = composed(f"loss={loss}")
    for place, target in brings.items():
        group, _, name = place.partition(".")
        spec = config[group][name] if name else config[group]
        assert spec["_target_"] == f"gan_cli.{group}.{target}"
    assert config["n_critic"] == n_critic
    assert config["optimizer"]["lr"] == lr


@pytest.mark.parametrize("loss", [companion[0] for companion in COMPANIONS])
def test_what_the_user_names_wins(loss):
    config = composed(
        f"loss={loss}", "optimizer=sgd", "constraint=free", "penalty=none", "n_critic=3"
    )
    assert config["optimizer"]["_target_"] == "gan_cli.optimizer.sgd.SGD"
    assert config["constraint"]["_target_"] == "gan_cli.constraint.free.Free"
    assert config["penalty"] == {}
    assert config["n_critic"] == 3
    assert composed(f"loss={loss}", "optimizer.lr=0.5")["optimizer"]["lr"] == 0.5


@pytest.mark.parametrize("experiment", entries("experiment"))
@pytest.mark.parametrize("choice", ["optimizer=sgd", "penalty=none", "loss=hinge"])
def test_an_experiment_can_be_varied_by_any_choice(experiment, choice):
    """No loose keys of one choice are left for another to stumble over."""
    assert build.check(composed(f"experiment={experiment}", choice)) == []
