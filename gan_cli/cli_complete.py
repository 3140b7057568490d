"""The tab key: `gan completion SHELL` sets it up, `gan -sc query=SHELL` answers it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from argparse import SUPPRESS, ArgumentParser
from importlib import import_module
from pathlib import Path

from gan_cli.cli import VERBS
from gan_cli.errors import UserMistake

INSTRUCTIONS = """Complete gan's verbs, groups, choices and keys with the TAB key. Once, for good:

  bash  echo 'eval "$(gan completion bash)"' >> ~/.bashrc
  zsh   echo 'eval "$(gan completion zsh)"' >> ~/.zshrc
  fish  gan completion fish > ~/.config/fish/completions/gan.fish

or in this shell alone: eval "$(gan completion bash)"
"""

BASH = r"""_gan() {
    local line="${COMP_LINE:0:COMP_POINT}" word="" IFS=$' \t\n'
    [[ $line == *" " ]] || word="${line##* }"
    COMPREPLY=($(compgen -W "$(COMP_LINE="$line" "${COMP_WORDS[0]}" -sc query=bash 2>/dev/null)" \
        -- "$word"))
    # readline replaces only what follows the last = where = breaks words
    if [[ $word == *=* && $COMP_WORDBREAKS == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*=}"}"}")
    fi
    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *[=./] ]] || compopt -o nospace
}
complete -o default -F _gan gan
"""

ZSH = r"""_gan() {
    local -a all
    all=("${(@f)$(COMP_LINE="${(j: :)words[1,CURRENT]}" "${words[1]}" -sc query=zsh 2>/dev/null)}")
    all=(${all:#})
    (( ${#all} )) || { _files; return }
    compadd -S '' -- ${(M)all:#*[=./]}
    compadd -- ${all:#*[=./]}
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _gan gan
"""

FISH = r"""function __gan_complete
    set -lx COMP_LINE (commandline -cp)
    set -l words (commandline -cpo)
    $words[1] -sc query=fish 2>/dev/null
end
complete -c gan -a '(__gan_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
BETWEEN = {"bash": " ", "zsh": "\n", "fish": "\n"}


def main(argv: list[str]) -> int:
    """`gan completion SHELL`: the script that the shell evaluates; without one, what to do."""
    shells = [word for word in argv if word not in ("--help", "-h")]
    if any(shell not in SCRIPTS for shell in shells[:1]) or len(shells) > 1:
        raise UserMistake(f"gan completion takes one of {', '.join(SCRIPTS)}")
    sys.stdout.write(SCRIPTS[shells[0]] if shells else INSTRUCTIONS)
    return 0


def answer(argv: list[str]) -> int:
    """`gan -sc install=SHELL` or `query=SHELL`: Hydra's protocol, with the line in COMP_LINE.

    A query never fails and never says more than its answer.
    """
    command, _, shell = "".join(argv[:1]).partition("=")
    if command == "install" and shell in SCRIPTS:
        return main([shell])
    if command != "query" or shell not in SCRIPTS:
        raise UserMistake("gan -sc takes query=SHELL; `gan completion` sets up the TAB key")
    words: list[str] = []
    with contextlib.suppress(Exception, SystemExit), contextlib.redirect_stderr(io.StringIO()):
        words = candidates(os.environ.get("COMP_LINE", ""))
    sys.stdout.write(BETWEEN[shell].join(words) + "\n")
    return 0


def candidates(line: str) -> list[str]:
    """What the last word of a line could become."""
    words = line.split()
    if not line or line[-1].isspace():
        words.append("")
    verb, word = [*words, ""][1], words[-1]
    if len(words) <= 2:
        verbs = [*VERBS, "help", "version"]
        return [name for name in verbs if name.startswith(word)]
    return [name for name in _after(verb, words) if name.startswith(word)]


def _after(verb: str, words: list[str]) -> list[str]:
    """What there is after a verb."""
    if verb in PARSERS and (words[-1].startswith("-") or words[-2].startswith("-")):
        found = import_module(PARSERS[verb]).parser()
        if (options := _options(found, words[2:])) or words[-1].startswith("-"):
            return options
    if verb in ("tune", "bench"):  # without its own options
        return _settings([*(word for word in words[2:-1] if "=" in word), words[-1]])
    if verb in ("train", "explain", "check"):
        return _settings(words[2:])
    if verb == "data" and len(words) > 3:
        return _settings(words[3:])
    if verb == "lab":
        from gan_cli.cli_lab import ALL, experiments

        return [*experiments(), ALL]
    if verb == "sample" or words[-2] == CKPT:
        return _sampling(words[2:])
    if verb == "list":
        from gan_cli.cli_entry import Shelf

        return [*Shelf.of(None).groups(), *_runs(words[-1], "", "ledger.json")]
    if verb in ("compare", "report", "doctor", "reproduce"):
        return _runs(words[-1], "", "ledger.json")
    return _AFTER.get(verb, [])


PARSERS = {
    verb: VERBS[verb][0] for verb in ("tune", "bench", "list", "compare", "report", "reproduce")
}
"""Modules whose `parser` knows the options of a verb."""

_AFTER = {"completion": [*SCRIPTS], "help": [*VERBS], "data": ["check", "preview"]}


CKPT = "--ckpt"


def _sampling(words: list[str]) -> list[str]:
    """What `gan sample` takes."""
    from gan_cli.sample_options import parser

    return _runs(words[-1], "") if words[-2:-1] == [CKPT] else _options(parser(), words)


def _options(parser: ArgumentParser, words: list[str]) -> list[str]:
    """The values of an option, and options that aren't there yet."""
    *before, _ = words
    actions = [action for action in parser._actions if action.help != SUPPRESS]
    asked = next((action for action in actions if action.option_strings[-1:] == before[-1:]), None)
    if asked is not None and asked.nargs is None:
        return [str(choice) for choice in asked.choices or ()]
    free = [action for action in actions if not {*action.option_strings} & {*before}]
    again = [action for action in actions if isinstance(action.default, list)]
    return [
        flag for a in dict.fromkeys([*free, *again]) for flag in a.option_strings if flag[1] == "-"
    ]


_SWITCH = ("auto", "true", "false")
VALUES = {
    "hardware.device": ("auto", "cpu", "cuda", "mps"),
    "hardware.precision": ("auto", "float32", "bfloat16"),
    "hardware.channels_last": _SWITCH,
    "hardware.compile": _SWITCH,
    "hardware.cuda_graphs": _SWITCH,
    "hardware.products": ("auto", "torch", "onednn"),
}
"""Values of keys that have few, of which Hydra knows the one that is set."""


def _settings(words: list[str]) -> list[str]:
    """Flags, groups, choices, keys and their values, given the words before the last."""
    from hydra._internal.core_plugins.bash_completion import BashCompletion
    from hydra._internal.utils import get_args_parser

    from gan_cli.cli_compose import Composer, Sources
    from gan_cli.cli_train import DRY_RUN

    *before, word = words
    if word.startswith("-"):
        flags = [flag for action in get_args_parser()._actions for flag in action.option_strings]
        hidden = ("--experimental-rerun", "--shell-completion")
        return [DRY_RUN, *(f for f in flags if f.startswith("--") and f not in hidden)]
    if word.startswith("resume="):
        return _runs(word.partition("=")[2], "resume=")
    before = [text for text in before if text != DRY_RUN]
    args, _ = get_args_parser().parse_known_args(before)
    composer = Composer(Sources(args.config_dir, args.config_name), before)
    found = BashCompletion(composer.loader)._query(composer.name, " ".join([*before, word]))
    key = word.partition("=")[0]
    few = [f"{key}={value}" for value in VALUES.get(key, ())]
    return [*dict.fromkeys([*found, *few]), "resume="]


def _runs(typed: str, before: str, *others: str) -> list[str]:
    """The run directories that a path could become, and the directories on the way there.

    Directories that hold one of the other files are an end of the way too.
    """
    parent = Path(typed) if typed.endswith("/") else Path(typed or ".").parent
    if not typed:
        parent = Path("outputs") if Path("outputs").is_dir() else Path()
    found = sorted(path for path in parent.glob("*") if path.is_dir())
    ends = {True: "", False: "/"}
    files = ("run.json", *others)
    return [f"{before}{path}{ends[any((path / f).is_file() for f in files)]}" for path in found]
