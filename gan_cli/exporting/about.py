"""What an export says of itself in names and numbers: no places of a machine, nothing obeyed."""

from __future__ import annotations

import json
from typing import Any

from gan_cli.sampler import Sampler
from gan_cli.strict import clean

FORMAT = "gan-generator/1"

PLACES = frozenset({"path", "root", "cache", "init_from", "data_root", "run_dir", "outputs"})
"""Settings that say where something is."""

_NAMED = ("model", "condition", "prior", "task", "space")
_TOLD = ("step", "images", "versions", "data")


def about(meta: dict[str, Any], sampler: Sampler) -> dict[str, Any]:
    """The metadata of the exported weights: what the checkpoint's said, without its places.

    The checkpoint itself is named by its digest.
    """
    named = {key: meta[key] for key in _NAMED if key in meta}
    told = {key: placeless(meta[key]) for key in _TOLD if key in meta}
    config = placeless(meta["config"]) if isinstance(meta.get("config"), dict) else {}
    own = {"kind": "generator", "config": config, "checkpoint": sampler.sha256}
    return named | told | own


def config_json(meta: dict[str, Any], sampler: Sampler, verified: dict[str, float]) -> str:
    """The text of config.json: what a program has to know to use the files beside it.

    verified: by file, how far its samples are from the checkpoint's, at most.
    """
    space, given = sampler.space, sampler.space.given
    inputs: dict[str, Any] = {"z": ["N", sampler.generator.z_dim]}
    if space.classes or given:
        inputs["c"] = ["N", *(given or ())]
    told = {
        "format": FORMAT,
        "library_name": "gan-cli",
        **{key: meta[key] for key in _NAMED + _TOLD if key in meta},
        "weights": sampler.origin.weights,
        "checkpoint": sampler.sha256,
        "inputs": inputs,
        "outputs": {"x": ["N", *space.shape]},
        "max_difference": verified,
        "training": meta["config"],
    }
    return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def placeless(value: Any) -> Any:
    """Settings without those that are places: by their names, or because they hold a slash."""
    if isinstance(value, dict):
        return {k: placeless(v) for k, v in value.items() if k not in PLACES and not _place(v)}
    if isinstance(value, list):
        return [placeless(item) for item in value if not _place(item)]
    return value


def _place(value: Any) -> bool:
    return isinstance(value, str) and (value.startswith("~") or "/" in value or "\\" in value)


def titled(meta: dict[str, Any], sampler: Sampler) -> str:
    """What an export is called: its model, and the data where they are known."""
    model = clean(meta["model"]["name"])
    data = dataset(meta)
    return f"{model} on {data}" if data else f"{model}, {size(sampler)}"


def dataset(meta: dict[str, Any]) -> str | None:
    """The name of the data, where the file says one."""
    try:
        name = meta["config"]["dataset"]["name"]
    except (KeyError, TypeError):
        return None
    return clean(name, 64) if isinstance(name, str) and name else None


def size(sampler: Sampler) -> str:
    """The shape of a sample, in words."""
    shape = sampler.space.shape
    return "×".join(map(str, shape)) if len(shape) == 3 else f"{shape[0]} numbers"
