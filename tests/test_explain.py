"""`gan explain`: every entry tells what it is, at any width, and nothing heavy is loaded for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan_cli import cli_docs as docs
from gan_cli.cli import main
from gan_cli.cli_entry import Shelf, plain
from gan_cli.cli_explain import main as explain_main
from gan_cli.cli_page import Page, short
from tests.conftest import CONF, ROOT, entries

GROUPS = sorted({path.parent.name for path in CONF.glob("*/*.yaml")})
ENTRIES = [(group, name) for group in GROUPS for name in entries(group)]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """What `gan explain` says of words, at a width."""

    def explain(*words: str, width: int = 80, code: int = 0) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        assert main(["explain", *words]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return explain


@pytest.mark.parametrize(("group", "name"), ENTRIES)
def test_every_entry_says_what_it_is(told, group, name):
    said = told(f"{group}={name}")
    assert said.startswith(f"{group}={name}")
    assert len(said.splitlines()) > 2 or name in ("none", "same")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("group", GROUPS)
def test_lines_fit(told, group, width):
    """But for words that can't be broken."""
    words = [group, *(f"{group}={name}" for name in entries(group))]
    for line in told(*words, width=width).splitlines():
        assert len(line) <= width or " " not in line.strip(), line


def test_wgan_gp_from_end_to_end(told):
    said = told("loss=wgan_gp")
    for part in [
        "D minimises D(G(z)) - D(x)",
        "G minimises -D(G(z))",
        "https://arxiv.org/abs/1701.07875",
        "https://arxiv.org/abs/1704.00028",
        "penalty=",
        "optimizer=adam_wgan_gp",
        "n_critic=5",
        "D's updates a step",
        "five critic steps",
    ]:
        assert part in said, part


def test_settings_are_shown_as_they_are_typed(told):
    assert "penalty.r1.gamma=10.0" in told("penalty=r1")
    assert "constraint.bound=0.01" in told("constraint=clip")
    assert "loss=wgan" in told("constraint=clip")  # what brings it


def test_a_variant_says_what_it_sets_differently(told):
    assert "optimizer=adam with lr=1.0e-4, betas=[0.0, 0.9]" in told("optimizer=adam_wgan_gp")


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_lists_its_entries_in_one_line_each(told, group):
    lines = told(group).splitlines()
    for name in entries(group):
        assert sum(line.split()[:1] == [name] for line in lines) == 1


def test_alone_it_lists_the_groups(told):
    said = told()
    assert all(f"\n  {group} " in said for group in GROUPS)


def test_a_name_without_its_group_and_a_key_of_the_root(told):
    assert told("wgan_gp").startswith("loss=wgan_gp")
    assert "D's updates a step" in told("n_critic")


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("optimizer.lr", ["optimizer=adam", "lr=2.0e-4"]),
        ("optimizer.lr=0.1", ["optimizer=sgd", "lr=0.01"]),
        ("model.width", ["model=mlp_toy", "width=128"]),
        ("term.l1.weight", ["term=l1", "weight=100.0"]),
        ("penalty.r1", ["penalty=r1", "r1.gamma=10.0"]),
        ("task.factor", ["task=superres", "factor=2", "or", "4"]),
    ],
)
def test_a_key_of_entries_lists_who_has_it_with_its_value(told, key, line):
    assert line in [said.split() for said in told(key).splitlines()]


KEYS = sorted({s.key for group in GROUPS for _, s in Shelf.of(None).keys(group)})


@pytest.mark.parametrize("width", [80, 120])
def test_lines_of_keys_fit(told, width):
    assert len(KEYS) > 100
    for line in told(*KEYS, width=width).splitlines():
        assert len(line) <= width or " " not in line.strip(), line


def test_no_value_is_shown_as_it_is_interpolated(told):
    said = told(*KEYS, "data_root", width=100)
    assert "$" + "{" not in said
    assert "task.past=dataset.past  " in told("task=frames")
    assert "model.d_norm=critic_norm" in told("model=dcgan")
    assert "data_root=$GAN_DATA  else ~/.cache/gan" in told("data_root")


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        ("2.0", ("2.0", "")),
        ("${a.b}", ("a.b", "")),
        ("${oc.select:a.b,2}", ("a.b", "else 2")),
        ('${oc.env:A,"~/b"}/c', ("$A/c", "else ~/b/c")),
    ],
)
def test_what_is_taken_from_elsewhere_is_said_plainly(spelled, said):
    assert plain(spelled) == said


def test_examples_stand_in_a_line_each(capsys):
    with pytest.raises(SystemExit):
        explain_main(["--help"])
    said = [line.split("  ")[1] for line in capsys.readouterr().out.splitlines()[-4:]]
    assert [line.split()[:2] for line in said] == 4 * [["gan", "explain"]]


def test_several_at_once(told):
    said = told("loss=wgan", "penalty=[gp,r1]")
    assert [word for word in ("loss=wgan", "penalty=gp", "penalty=r1") if f"{word} " in said]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("loss=wgna", "did you mean loss=wgan?"),
        ("los", "did you mean loss?"),
        ("penalti=gp", "did you mean penalty"),
        ("wgan_pg", "did you mean wgan_gp?"),
        ("optimizer.lrr", "did you mean optimizer.lr?"),
        ("optimiser.lr", "did you mean optimizer.lr?"),
        ("term.l1.wieght", "weight?"),
        ("loss.zzz", "gan explain lists"),
        ("xyzzy", "gan explain lists"),
        ("loss=xyzzy", "gan explain loss lists them"),
        ("loss=mine.Loss", "there is no module mine here"),
    ],
)
def test_a_wrong_name_is_one_line_with_the_nearest(told, word, hint):
    said = told(word, code=2)
    assert hint in said
    assert len(said.splitlines()) == 1
    assert len(said) <= 100


OWN = '''
from gan_cli.loss.wgan import WGAN

class MyLoss(WGAN):
    """A loss of one's own, as in Doe and Roe 2021, arXiv 2101.00001, equation 7.

    Curves: flat.
    Needs: nothing.
    """

    def __init__(self, margin=2.0, *, other): ...

    def g(self, real, fake):
        """-D(G(z)) + margin, `(N,) -> (N,)`."""

class Bare:
    pass
raise RuntimeError("it is read, never run")
'''


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "own" / "loss").mkdir(parents=True)
    (tmp_path / "own" / "loss" / "my.yaml").write_text(
        "# made for this test\n_target_: mine.MyLoss\nmargin: 3.0  # of what?\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_class_of_the_users_own_is_read_not_run(told, mine):
    said = told("loss=mine.MyLoss")
    for part in ("A loss of one's own", "D minimises D(G(z)) - D(x)", "-D(G(z)) + margin"):
        assert part in said
    for part in ("margin=2.0", "other", "Curves", "Flat.", "abs/2101.00001", "equation 7"):
        assert part in said


def test_an_entry_of_the_users_own(told, mine):
    said = told("loss=my", "--config-dir", "own")
    assert "A loss of one's own" in said
    assert "loss.margin=3.0  of what?" in said
    assert "ade for this test" in said
    assert " my " in told("loss", "--config-dir", "own")


def test_a_class_without_a_word_is_explained_too(told, mine):
    assert told("loss=mine.Bare").startswith("loss=mine.Bare")
    assert "has no class Nobody" in told("loss=mine.Nobody", code=2)


def test_a_config_dir_that_is_not_there(told):
    assert "no such directory" in told("loss", "--config-dir", "nowhere", code=2)


def test_an_entry_that_cannot_be_read_is_named(told, mine):
    (mine / "own" / "loss" / "my.yaml").write_text("a: [1\n")
    assert "my.yaml" in told("loss=my", "--config-dir", "own", code=2)


def test_markdown(told):
    said = told("loss=wgan_gp", "--format", "markdown")
    assert said.startswith("## `loss=wgan_gp`\n")
    assert "- `n_critic=5`: D's updates a step" in said


def test_nothing_heavy_is_loaded():
    code = (
        "import sys; from gan_cli.cli import main\n"
        "main(['explain']); main(['explain', 'loss']); main(['explain', 'loss=wgan_gp'])\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert not {"torch", "numpy", "hydra", "omegaconf", "rich"} & set(done.stderr.split())


def test_colours_are_for_terminals_alone(told, monkeypatch):
    assert "\033" not in told("loss=wgan")
    page = Page(60, colour=True)
    page.title("loss=wgan", "right")
    page.row("Needs", page.words("`penalty=gp` and more"))
    assert "\033[36mpenalty=gp\033[0m" in page.lines[-1]
    assert "`" not in page.lines[-1]


def test_what_a_terminal_would_obey_is_not_printed():
    page = Page(60)
    page.title("a\033[2J", "b\r")
    page.text("c\x07 and\nd\x1b]0;e")
    page.lines += page.table([("f\x9b", "g\x08")])
    assert not {*"\033\r\x07\x9b\x08"} & {*"".join(page.lines)}


def test_labels_end_where_a_paragraph_does():
    doc = docs.split("What.\n\nMore.\n\nCurves: up\n    and down.\nNeeds: air.\n\nLast.")
    assert doc.labels == {"Curves": "up and down.", "Needs": "air."}
    assert (doc.summary, doc.text) == ("What.", ("More.", "Last."))


@pytest.mark.parametrize(
    ("text", "who", "place", "arxiv"),
    [
        ("(Lim and Ye 2017, arXiv 1705.02894)", "Lim and Ye 2017", "", "1705.02894"),
        ("Mescheder et al. 2018, arXiv 1801.04406, equation 9: γ = 10", "Mescheder et al. 2018",
         "equation 9", "1801.04406"),
        ("Jolicoeur-Martineau 2018, arXiv 1807.00734.", "Jolicoeur-Martineau 2018", "",
         "1807.00734"),
        ("Arjovsky et al. 2017, arXiv 1701.07875, equations 2 and 3 (dual)",
         "Arjovsky et al. 2017", "equations 2 and 3", "1701.07875"),
        ("Karras et al. 2020, arXiv 1912.04958, section 3.1.", "Karras et al. 2020",
         "section 3.1", "1912.04958"),
    ],
)  # fmt: skip
def test_sources_are_found_in_docstrings(text, who, place, arxiv):
    assert docs.cited([text]) == [docs.Cited(who, place, arxiv)]


@pytest.mark.parametrize(
    ("docstring", "formula"),
    [
        ("D(G(z)) - D(x), `(N,), (N,) -> (N,)`.", "D(G(z)) - D(x)"),
        ("(D(x) - 0.5)² / 2. The rest is said elsewhere.", "(D(x) - 0.5)² / 2"),
    ],
)
def test_a_formula_is_the_first_sentence(docstring, formula):
    assert docs.sentence(docstring) == formula


def test_a_text_is_cut_where_a_word_ends():
    assert short("one two three", 9) == "one two…"
    assert short("one", 9) == "one"
