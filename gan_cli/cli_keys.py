"""What the keys of conf/train.yaml may hold. Their defaults are there; their kinds are here."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gan_cli.record import flat


@dataclass(frozen=True)
class Kind:
    """What a value must be: in words, and as a test."""

    wants: str
    fits: Callable[[Any], bool]

    def or_null(self) -> Kind:
        """The same, or no value."""
        return Kind(f"{self.wants}, or null", lambda value: value is None or self.fits(value))


def is_whole(value: Any) -> bool:
    """A whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """A finite number; true and false are none."""
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def whole(least: int) -> Kind:
    """A whole number from `least` on, of 63 bits."""
    return Kind(f"a whole number, {least} or more", lambda v: is_whole(v) and least <= v < 2**63)


SWITCH = Kind("true or false", lambda v: isinstance(v, bool))
TEXT = Kind("text", lambda v: isinstance(v, str) and v != "")
NUMBER = Kind("a number", is_number)
WHOLE = Kind("a whole number", is_whole)
POSITIVE = Kind("a number above 0", lambda v: is_number(v) and v > 0)
NOT_NEGATIVE = Kind("a number, 0 or more", lambda v: is_number(v) and v >= 0)
SHARE = Kind("a number from 0 to 1", lambda v: is_number(v) and 0 <= v <= 1)

KEYS = {
    "seed": whole(0),
    "batch_size": whole(1),
    "accumulate": whole(1),
    "n_critic": whole(1),
    "n_generator": whole(1),
    "pack": whole(1),
    "top_k": Kind("a share above 0 and up to 1", lambda v: is_number(v) and 0 < v <= 1),
    "share_fakes": SWITCH,
    "head_start.d": whole(0),
    "head_start.g": whole(0),
    "init_from": TEXT.or_null(),
    "freeze_d": whole(0),
    "ema.half_life": NOT_NEGATIVE,
    "ema.ramp_up": SHARE,
    "clip_grad": POSITIVE.or_null(),
    "critic_norm": TEXT,
    "steps": whole(1),
    "images": whole(1).or_null(),
    "epochs": POSITIVE.or_null(),
    "log_every": whole(1),
    "sample_every": whole(1),
    "checkpoint_every": whole(1),
    "keep": whole(2),
    "evaluate_every": whole(1),
    "evaluate_n": whole(20),
    "best": TEXT.or_null(),
    "patience": whole(1).or_null(),
    "diagnose.every": whole(1).or_null(),
    "diagnose.n": whole(16),
    "preview": SWITCH,
    "tensorboard": SWITCH,
    "data_root": TEXT,
    "outputs": TEXT,
    "run_dir": TEXT.or_null(),
    "fresh": SWITCH,
}
"""Every key of the root, in the order of conf/train.yaml."""


def check(config: dict[str, Any], groups: Iterable[str]) -> list[str]:
    """Every problem with the root keys of a resolved configuration."""
    groups = set(groups) | {"hydra"}
    values = flat({key: value for key, value in config.items() if key not in groups})
    problems = [
        f"{key} is missing: it wants {KEYS[key].wants}" for key in KEYS if key not in values
    ]
    problems += [unknown_key(key, [*KEYS, *sorted(groups)]) for key in values if key not in KEYS]
    wrong = [key for key in KEYS if key in values and not KEYS[key].fits(values[key])]
    problems += [mismatch(key, values[key], KEYS[key]) for key in wrong]
    return problems + _together({key: values.get(key) for key in KEYS if key not in wrong})


def _together(values: dict[str, Any]) -> list[str]:
    """What can't be right together, of what is right by itself."""
    problems = []
    batch, parts = values.get("batch_size"), values.get("accumulate")
    if batch and parts and parts > batch:
        problems.append(f"accumulate={parts}: a batch of {batch} has fewer parts")
    pack = values.get("pack") or 1
    if batch and parts and pack > 1 and batch % (pack * parts):
        each = "batch_size" if parts == 1 else f"batch_size={batch} in {parts} parts"
        problems.append(f"pack={pack}: {each} must be a multiple of {pack}, to be packed")
    if values.get("images") is not None and values.get("epochs") is not None:
        problems.append("images and epochs both name a budget: give one of them")
    if values.get("freeze_d") and values.get("init_from") is None:
        problems.append("freeze_d: layers that stay must have learnt before: init_from=RUN")
    if values.get("head_start.d") and values.get("head_start.g"):
        problems.append("only one player can have a head start: head_start.d or head_start.g")
    return problems


def look_up(config: Any, key: str) -> tuple[bool, Any]:
    """Whether there is such a dotted key, and its value."""
    for part in key.split("."):
        if isinstance(config, list) and part.isdigit() and int(part) < len(config):
            config = config[int(part)]
        elif isinstance(config, dict) and part in config:
            config = config[part]
        else:
            return False, None
    return True, config


def misfit(key: str, asked: Any, default: Any) -> str | None:
    """What is wrong with the type of a value, judged by the default; null may be right."""
    if asked is None or default is None or key in KEYS:
        return None
    if isinstance(default, dict):
        if not isinstance(asked, dict):
            inner = ", ".join(f"{key}.{name}" for name in default if name != "_target_")
            return f"{key}={shown(asked)}: {key} has parts: {inner or 'none'}"
        if not default:
            return f"{key}={shown(asked)}: {key} is open: +{key}.KEY=VALUE adds to it"
        known = [f"{key}.{name}" for name in default]
        problems = [
            misfit(f"{key}.{name}", value, default[name])
            if name in default
            else unknown_key(f"{key}.{name}", known)
            for name, value in asked.items()
        ]
        return "; ".join(filter(None, problems)) or None
    if isinstance(default, list):
        if not isinstance(asked, list):
            return f"{key}={shown(asked)}: {key} wants a list, such as {key}=[…,…]"
        kinds = {type(value) for value in default}
        if len(kinds) == 1 and any(misfit(key, value, default[0]) for value in asked):
            return f"{key}={shown(asked)}: {key} wants a list of the kind {default}"
        return None
    if isinstance(asked, list) and is_number(default):
        return None  # one number or one for each side: the component knows
    if default == "auto" and isinstance(asked, bool):
        return None  # a switch that the machine may set: the component knows
    kind = _KINDS.get(type(default))
    return None if kind is None or kind.fits(asked) else mismatch(key, asked, kind)


_KINDS = {bool: SWITCH, int: WHOLE, float: NUMBER, str: TEXT}


def mismatch(key: str, value: Any, kind: Kind) -> str:
    """That a value is not what the key wants, and what to type where that is clear."""
    hint = ""
    if isinstance(value, float) and value.is_integer() and kind.fits(int(value)):
        hint = f": {key}={int(value)}"
    elif is_number(value) and kind.fits(str(value)):
        hint = f": {key}=\\'{value}\\'"
    return f"{key}={shown(value)}: {key} wants {kind.wants}{hint}"


def shown(value: Any) -> str:
    """A value as it is typed."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value).replace("'", "").replace(" ", "")


def unknown_key(key: str, candidates: Iterable[str]) -> str:
    """That there is no such key, and the nearest that there is."""
    near = nearest(key, candidates)
    return f"{key}: there is no such key" + (f"; did you mean {near}?" if near else "")


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was probably meant: the same last part, or nearly the same letters."""
    names, word = list(candidates), word.lower()
    leaf = word.rpartition(".")[2]
    same = [name for name in names if name.rpartition(".")[2] == leaf]
    if same:
        return same[0]
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return close[0]
    leaves = {name.rpartition(".")[2]: name for name in names}
    near = difflib.get_close_matches(leaf, leaves, n=1, cutoff=0.75)
    return leaves[near[0]] if near else None
