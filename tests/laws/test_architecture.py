"""The shape of the source: who may import whom, and what may be said where.

Each rule reads one module and yields (line, what is wrong). Each has an offender at the end of
this file that it must catch, so that no rule passes because it has gone blind.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import ROOT
from tests.laws.source import Module, classes_in_conf, imported, named_in_conf, piece, read

Wrong = Iterator[tuple[int, str]]
Rule = Callable[[Module], Wrong]

LAYERS = (  # bottom first; imports point down, never up, never across between pieces of a layer
    (
        *("errors", "batch", "memory", "space", "randomness", "strict", "configs"),
        *("theory", "diagnosis", "facts", "lately", "blocks", "homes", "aligned", "makers"),
        "circumstances",
    ),
    ("prior", "nearby", "policy", "written"),
    ("launcher", "options"),
    ("ranks",),
    ("dist",),
    (
        *("loss", "penalty", "constraint", "augment", "optimizer", "schedule"),
        *("dataset", "model", "term", "auxiliary", "plot", "disk", "header", "average"),
    ),
    ("player", "container", "record", "rows", "scores", "condition", "task", "tail"),
    ("warm", "lock", "clock", "events", "earlier", "guard", "notes"),
    ("method", "metric"),
    ("dynamics", "anneal", "extractor"),
    ("run", "state", "console", "fast", "signals", "status"),
    ("build", "log", "study", "tune", "rewinds"),
    ("generators", "session", "doctor", "reproduce"),
    ("sampler",),
    ("critics",),
    ("rejection", "langevin", "latent", "truncation"),
    ("refine",),
    (
        *("toy", "answers", "wish", "sweep", "few", "evaluation", "exporting", "keeper"),
        *("directions", "paths", "sample_options", "grounds", "glance", "inquest"),
    ),
    ("stream",),
    ("show", "draw", "tabled", "walk", "timelapse", "reply", "neighbours_report", "best", "watch"),
    ("follow",),
    ("greeting", "looks"),
    ("standing",),
    ("train", "export", "page", "invert", "report"),
    ("laws", "lab", "serve", "bench"),
    ("cli",),
    ("__main__", "sample"),
)
PAPERS = {
    *("loss", "penalty", "constraint", "optimizer", "schedule", "augment"),
    *("prior", "condition", "auxiliary", "task"),
    *("model", "player", "method", "dynamics"),
}  # fmt: skip
PIECES = {"gan_cli.method.mixture": {"sklearn", "threadpoolctl"}}  # what a piece is made of
CITED = {"loss", "penalty", "constraint", "augment", "dynamics"} | {
    *("prior", "condition", "auxiliary", "task", "term", "method", "metric"),
}  # fmt: skip
START = {"gan_cli/__init__.py", "gan_cli/__main__.py", "gan_cli/cli.py"}  # what `gan --help` loads

LIBRARIES = {  # who may import what
    "hydra": ("cli", "build"),
    "omegaconf": ("cli", "build"),
    "rich": ("console", "blocks", "lab"),
    "tensorboard": ("events",),
    "torch.utils.tensorboard": ("events",),
    "torch.distributed": ("ranks",),
    "PIL": ("dataset", "plot", "report"),
    "av": ("dataset", "plot"),
    "matplotlib": ("dataset", "plot", "lab"),
    "ot": ("theory",),
    "scipy": ("theory",),
    "torch_fidelity": ("extractor", "metric"),
    "torchmetrics": ("metric",),
    "onnx": ("exporting",),
    "onnxruntime": ("exporting",),
    "starlette": ("page",),
    "uvicorn": ("serve",),
    "optuna": ("tune", "cli"),
    "pickle": (),
}
CALLS = {  # who may call what
    r"(.+\.)?instantiate": ("build",),
    r"(torch\.(\w+\.)*)?(autocast|GradScaler)": ("fast",),
    r"(?!re\.).+\.compile|compile": ("fast",),
    r"(.+\.)?(CUDAGraph|make_graphed_callables)|torch\.cuda\.graph": ("fast",),
    r"(.+\.)?(set_num_threads|set_float32_matmul_precision)": ("fast",),
    r"(.+\.)?use_deterministic_algorithms": ("fast",),
    r".+\.item": ("log",),
    r"torch\.load|hash": (),
}
MACHINES = {"cpu", "cuda", "mps", "darwin"}  # facts to branch on, not choices to dispatch on
SOURCE = re.compile(r"arXiv[: ]?\d{4}\.\d{4,5}|\b(19|20)\d\d\b")
LOCAL = re.compile(
    r"(?<![\w.~])/(work|opt|root|home|Users|mnt)/\w"
    r"|pypi\.org|pythonhosted\.org|download\.pytorch\.org|(find-|index[-_])(links|url)"
)

PACKAGE = read("gan_cli")
ENTRIES, CLASSES = named_in_conf(), classes_in_conf()


def height(part: str) -> int:
    """The layer a piece of gan_cli stands in, from 1; 0 for gan_cli itself, -1 for none."""
    return next((i for i, layer in enumerate(LAYERS, 1) if part in layer), 0 if not part else -1)


def within(target: str, package: str) -> bool:
    return f"{target}.".startswith(f"{package}.")


def imports_point_down(module: Module) -> Wrong:
    if height(module.part) < 0:
        yield 1, f"{module.part} stands in no layer: give it one in LAYERS of tests/laws"
        return
    for line, target in module.imports():
        part = piece(target)
        if part not in {"", module.part} and height(part) >= height(module.part):
            yield line, f"imports {target}, but {part} is not below {module.part or 'gan_cli'}"


def entries_do_not_import_each_other(module: Module) -> Wrong:
    for line, target in module.imports():
        for entry in ENTRIES - {module.name, f"gan_cli.{module.part}"}:
            if within(target, entry) and within(entry, f"gan_cli.{module.part}"):
                yield (
                    line,
                    (
                        f"imports {entry}, which an entry of conf/ names; what both need belongs "
                        f"into a module of gan_cli/{module.part}/ that no entry names"
                    ),
                )


def libraries_have_one_home(module: Module) -> Wrong:
    for line, target in module.imports():
        for library, homes in LIBRARIES.items():
            if within(target, library) and module.part not in homes:
                yield line, f"imports {library}: {' and '.join(homes) or 'no module'} may"
        top = target.split(".")[0]
        known = {"gan_cli", "torch", *sys.stdlib_module_names} | PIECES.get(module.name, set())
        if module.part in PAPERS and top not in known:
            yield line, f"imports {top}: from method down, torch alone is enough for a notebook"


def calls_have_one_home(module: Module) -> Wrong:
    for call, name in module.calls():
        if any(k.arg == "enabled" and ast.unparse(k.value) == "False" for k in call.keywords):
            continue  # autocast(enabled=False) asks for full precision, which anyone may
        for pattern, homes in CALLS.items():
            if re.fullmatch(pattern, name) and module.part not in homes:
                yield call.lineno, f"calls {name}(): {' and '.join(homes) or 'no module'} may"


def the_command_line_starts_light(module: Module) -> Wrong:
    for node in module.tree.body if module.path in START else ():
        for target in imported(node):
            if target.split(".")[0] not in {"gc", "os", "sys", "__future__"}:
                yield node.lineno, f"imports {target} before a verb needs it"


def failures_have_names(module: Module) -> Wrong:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield node.lineno, "bare except: say which exception is expected"
        if isinstance(node, ast.Name) and node.id == "NotImplementedError":
            yield node.lineno, "NotImplementedError: what isn't there isn't offered"


def nothing_dispatches_on_a_name(module: Module) -> Wrong:
    if module.part in ("cli", "__main__"):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            sides = [node.left, *node.comparators]
            texts = {s.value for s in sides if isinstance(s, ast.Constant)} - MACHINES
            named = any(isinstance(text, str) and text.isidentifier() for text in texts)
            if named and any(isinstance(s, ast.Name | ast.Attribute) for s in sides):
                yield node.lineno, f"{ast.unparse(node)}: use a table, or give the thing a method"
        if isinstance(node, ast.MatchValue):
            yield node.value.lineno, "match on a value: use a table, or give the thing a method"


def files_are_short(module: Module) -> Wrong:
    lines = len(module.text.splitlines())
    if lines > 300:
        yield 300, f"has {lines} lines; 300 are the most"


def functions_are_short(module: Module) -> Wrong:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > 60:
                yield node.lineno, f"{node.name} has {lines} lines; 60 are the most"


def public_things_say_what_they_are(module: Module) -> Wrong:
    if module.text.strip() and not ast.get_docstring(module.tree):
        yield 1, "has no docstring"
    for node in module.public():
        if not ast.get_docstring(node):
            yield node.lineno, f"{node.name} has no docstring"


def entries_cite_their_source(module: Module) -> Wrong:
    for node in module.public() if module.part in CITED else ():
        cites = SOURCE.search(ast.get_docstring(node) or "")
        if isinstance(node, ast.ClassDef) and f"{module.name}.{node.name}" in CLASSES and not cites:
            yield node.lineno, f"{node.name} cites no source: authors, year, arXiv number"


OFFENDERS: list[tuple[Rule, str, str]] = [
    (imports_point_down, "loss/hinge.py", "from gan_cli.method.gan import GAN"),
    (imports_point_down, "loss/hinge.py", "def f():\n    import gan_cli.penalty"),
    (imports_point_down, "state.py", "from gan_cli import run"),
    (imports_point_down, "newcomer.py", ""),
    (entries_do_not_import_each_other, "loss/hinge.py", "from gan_cli.loss.wgan import WGAN"),
    (entries_do_not_import_each_other, "loss/hinge.py", "from gan_cli.loss import wgan"),
    (libraries_have_one_home, "train.py", "import omegaconf"),
    (libraries_have_one_home, "train.py", "from torch import distributed"),
    (libraries_have_one_home, "loss/hinge.py", "import numpy as np"),
    (calls_have_one_home, "method/gan.py", "D = torch.compile(D)"),
    (calls_have_one_home, "method/gan.py", "with torch.autocast('cuda'):\n    pass"),
    (calls_have_one_home, "train.py", "x = loss.mean().item()"),
    (calls_have_one_home, "train.py", "seed = hash('a')"),
    (the_command_line_starts_light, "cli.py", "import torch"),
    (failures_have_names, "state.py", "try:\n    pass\nexcept:\n    pass"),
    (failures_have_names, "state.py", "raise NotImplementedError('later')"),
    (nothing_dispatches_on_a_name, "train.py", "if name == 'wgan':\n    pass"),
    (nothing_dispatches_on_a_name, "train.py", "match name:\n    case 'wgan':\n        pass"),
    (files_are_short, "train.py", "x = 1\n" * 301),
    (functions_are_short, "train.py", "def f():\n" + "    x = 1\n" * 60),
    (public_things_say_what_they_are, "train.py", "x = 1"),
    (public_things_say_what_they_are, "train.py", "'''It.'''\ndef f():\n    pass"),
    (entries_cite_their_source, "loss/hinge.py", "class Hinge:\n    '''A loss.'''"),
]
RULES = list(dict.fromkeys(rule for rule, _, _ in OFFENDERS))


def tell(wrong: list[str], law: str) -> None:
    if wrong:
        pytest.fail(f"{law}, but\n" + "\n".join(wrong), pytrace=False)


def findings(rule: Rule, modules: list[Module]) -> list[str]:
    return [f"{m.path}:{line}: {what}" for m in modules for line, what in rule(m)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps_the_rule(rule: Rule):
    tell(findings(rule, PACKAGE), rule.__name__.replace("_", " "))


@pytest.mark.parametrize("rule", [functions_are_short, failures_have_names])
def test_the_tests_keep_these_rules_too(rule: Rule):
    tell(findings(rule, read("tests", "benchmarks")), rule.__name__.replace("_", " "))


def test_no_file_names_a_machine_or_a_registry():
    folders = ("gan_cli", "conf", "tests", "docs", "benchmarks", ".ci", ".github")
    kinds = {"", ".py", ".md", ".toml", ".yaml", ".yml", ".sh", ".txt", ".json", ".html", ".svg"}
    paths = [*ROOT.iterdir(), *(path for name in folders for path in (ROOT / name).rglob("*"))]
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted(paths)
        if path.suffix in kinds and path.is_file()
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if LOCAL.search(line)
    ]
    tell(wrong, "no file names a path of one machine, or a registry")


@pytest.mark.parametrize(("rule", "path", "text"), OFFENDERS)
def test_the_rule_catches_its_offender(rule: Rule, path: str, text: str):
    assert list(rule(Module(f"gan_cli/{path}", text)))
