"""Who started this process, and as which one of several: read from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gan_cli.errors import UserMistake


@dataclass(frozen=True)
class Place:
    """The number of this process among `size`, and on its machine; where all of them meet.

    `hosted`: whether somebody else keeps the meeting place. `attempt` counts the times that all
    were started.
    """

    rank: int
    size: int
    local: int
    host: str
    port: int
    hosted: bool = False
    attempt: str = "0"

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.size:
            raise UserMistake(f"rank {self.rank} is none of {self.size}: ranks count from 0")


def several() -> bool:
    """Whether torchrun started this process as one of several."""
    return os.environ.get("WORLD_SIZE", "1") not in ("", "1")


def torchrun() -> Place | None:
    """What torchrun says; None where it started one process, or none."""
    env = os.environ
    if not several():
        return None
    numbers = _numbers(env, "WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_PORT")
    hosted = env.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return Place(
        numbers["RANK"],
        numbers["WORLD_SIZE"],
        numbers["LOCAL_RANK"],
        env.get("MASTER_ADDR", "127.0.0.1"),
        numbers["MASTER_PORT"],
        hosted,
        env.get("TORCHELASTIC_RESTART_COUNT", "0"),
    )


def slurm() -> Place | None:
    """What srun says; None where it started one process.

    They meet at MASTER_ADDR and MASTER_PORT where these are set, else on the first node, at a port
    that is a function of the job's number.
    """
    env = os.environ
    if "SLURM_PROCID" not in env:
        raise UserMistake(
            "hardware.ranks=slurm: srun starts the ranks, and there is no SLURM_PROCID here: "
            "srun gan train …, or torchrun without this"
        )
    numbers = _numbers(env, "SLURM_PROCID", "SLURM_LOCALID", "SLURM_JOB_ID")
    steps = "SLURM_STEP_NUM_TASKS" if "SLURM_STEP_NUM_TASKS" in env else "SLURM_NTASKS"
    size = _numbers(env, steps)[steps]
    if size == 1:
        return None
    nodes = env.get("SLURM_STEP_NODELIST", env.get("SLURM_JOB_NODELIST", ""))
    host = env.get("MASTER_ADDR") or first_node(nodes)
    port = int(env.get("MASTER_PORT", 20000 + numbers["SLURM_JOB_ID"] % 10000))
    return Place(numbers["SLURM_PROCID"], size, numbers["SLURM_LOCALID"], host, port)


def first_node(nodes: str) -> str:
    """The first name of a list as SLURM writes it: node[003-010,12],other gives node003."""
    match = re.match(r"([^,\[]+)(?:\[(\w+)[^\]]*\])?", nodes)
    if match is None:
        raise UserMistake("hardware.ranks=slurm: no SLURM_JOB_NODELIST: set MASTER_ADDR")
    return match[1] + (match[2] or "")


def _numbers(env: Mapping[str, str], *names: str) -> dict[str, int]:
    """These variables as whole numbers; UserMistake for one that lacks or is none."""
    for name in names:
        if not env.get(name, "").isdigit():
            raise UserMistake(
                f"{name}={env.get(name, '')}: the ranks are started by torchrun or srun, which set "
                "it; for one process unset WORLD_SIZE"
            )
    return {name: int(env[name]) for name in names}


LAUNCHERS: dict[str, Callable[[], Place | None]] = {"torchrun": torchrun, "slurm": slurm}
"""Who can start ranks."""
