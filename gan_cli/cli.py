"""The command line: the verbs of `gan`. Nothing heavy is imported before a verb needs it."""

import gc
import os
import sys

VERBS = {
    "train": ("gan_cli.cli_train", "train a GAN; the same command again resumes it"),
    "tune": ("gan_cli.cli_tune", "search for better settings, with Optuna"),
    "list": ("gan_cli.cli_list", "the runs there are, or the entries of a group: gan list losses"),
    "compare": ("gan_cli.cli_compare", "a leaderboard of runs: means over seeds, differences"),
    "report": ("gan_cli.cli_report", "a run or a sweep as one page of HTML that opens offline"),
    "doctor": ("gan_cli.cli_doctor", "what went wrong in a run, and what to try next"),
    "sample": ("gan_cli.sample", "draw samples from a run, a checkpoint or a generator file"),
    "evaluate": ("gan_cli.cli_evaluate", "measure a generator or a directory of images"),
    "bench": ("gan_cli.cli_bench", "how fast a command trains here, and where the time goes"),
    "reproduce": ("gan_cli.cli_reproduce", "train a run again, and say whether it is the same"),
    "serve": ("gan_cli.serve", "explore a generator on a page in your browser"),
    "export": ("gan_cli.export", "write a generator for others: safetensors, ONNX, torch.export"),
    "invert": ("gan_cli.invert", "the latent codes that best give your own images"),
    "data": ("gan_cli.cli_data", "what is in a data set, and how D sees it"),
    "lab": ("gan_cli.cli_lab", "short experiments that check the theory: table, picture, verdict"),
    "explain": ("gan_cli.cli_explain", "what an entry is: formula, paper, settings, trouble"),
    "check": ("gan_cli.cli_check", "whether a component keeps the laws of its kind, yours too"),
    "completion": ("gan_cli.cli_complete", "print the tab completion for bash, zsh or fish"),
}
"""What there is to do: the module whose `main(argv)` does it, and what `gan --help` says."""

SELDOM = 200_000
"""New objects after which those without a use are looked for: imports make very many, all of use,
and to go through them took a sixth of the time until a run's first step."""

FIRST = {
    "gan train": "train on handwritten digits, everything at its default",
    "gan train loss=wgan dataset=mnist": "another game, other data",
    "gan sample --ckpt outputs/default": "draw samples from what was trained",
}
"""The commands one needs first."""


def main(argv: list[str] | None = None) -> int:
    """Run one command, and return its exit code.

    0 done, 1 a job failed, 2 the user's mistake, 4 a bad file, 5 numerical failure, 6 the disk,
    7 given up by its policy, 130 and 143 stopped by a signal, 141 nobody reads the output any more.
    """
    spin_briefly()
    gc.set_threshold(SELDOM)
    try:
        code = _route(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001, here everything is told
        return _load("gan_cli.cli_failure", "report")(error)
    return code


def spin_briefly() -> None:
    """Say how torch's threads wait for each other, which is read when torch is loaded.

    Those that spin starve each other as soon as anything else runs on the machine: measured, up to
    thirty times slower. Those that sleep at once take long to wake, a fifth of a step of small
    networks. So they spin for some 15 µs.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def _route(argv: list[str]) -> int:
    verb, *rest = argv or ["help"]
    if verb in VERBS and verb != "train" and os.environ.get("WORLD_SIZE", "1") not in ("", "1"):
        _load("gan_cli.cli_failure", "refuse_ranks")(verb)
    if verb in VERBS:
        return _load(VERBS[verb][0], "main")(rest) or 0
    if verb == "help" and rest and rest[0] in VERBS:
        return _route([rest[0], "--help"])
    if verb in ("help", "--help", "-h"):
        sys.stdout.write(_help())
        return 0
    if verb in ("version", "--version", "-V"):
        sys.stdout.write(f"gan {_load('gan_cli', '__version__')}\n")
        return 0
    if verb in ("-sc", "--shell-completion"):
        return _load("gan_cli.cli_complete", "answer")(rest)
    return _load("gan_cli.cli_failure", "unknown_verb")(argv, [*VERBS, "help", "version"])


def _load(module: str, name: str):  # type: ignore[no-untyped-def]
    from importlib import import_module

    return getattr(import_module(module), name)


def _help() -> str:
    verbs = {verb: text for verb, (_, text) in VERBS.items()}
    verbs |= {"help VERB": "what a verb can do", "version": "which gan this is"}
    blocks = [
        f"{_bold('gan')}: train generative adversarial networks, and draw from them",
        f"{_bold('Begin with')}\n{_table(FIRST)}",
        f"{_bold('Verbs')}\n{_table(verbs)}",
        "`gan train --help` lists every choice and key; `gan completion` sets up the TAB key.",
    ]
    return "\n\n".join(blocks) + "\n"


def _table(rows: dict[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"  {left:{width}}  {right}" for left, right in rows.items())


def _bold(text: str) -> str:
    plain = "NO_COLOR" in os.environ or not sys.stdout.isatty()
    return text if plain else f"\033[1m{text}\033[0m"


if __name__ == "__main__":
    sys.exit(main())
