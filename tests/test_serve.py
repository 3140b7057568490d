"""`gan serve`: what is drawn, who may ask, and the page in a real browser."""

from __future__ import annotations

import http.client
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli import build, container, serve
from gan_cli.directions import directions
from gan_cli.errors import UserMistake
from gan_cli.page.guard import Guard
from gan_cli.page.order import Order
from gan_cli.sampler import Sampler
from gan_cli.space import Space
from tests.conftest import ROOT

MLP = {"z_dim": 4, "width": 8, "depth": 1, "g_norm": "none", "d_norm": "none"}
STYLE = {"z_dim": 6, "w_dim": 8, "depth": 1, "width": 4, "most": 8}
UNET = {"z_dim": 3, "width": 4}
CLASSES = ("cat", "<img src=x onerror=alert(1)>", "owl")


def written(
    path: Path,
    model: str,
    args: dict[str, Any],
    space: Space,
    task: str | None = None,
    **named: dict[str, Any],
) -> Path:
    """A generator's file with random weights."""
    torch.manual_seed(1)
    condition = build.component("condition", "concat", {}) if space.classes or space.given else None
    family = build.component("model", model, args)
    net = condition.generator(family, space) if condition else family.generator(space.shape)
    described: dict[str, Any] = {"shape": list(space.shape), "classes": list(space.classes)}
    meta = {"kind": "generator", "step": 12, "model": {"name": model, "args": args}, **named}
    if condition:
        meta["condition"] = {"name": "concat", "args": {}}
    if task and space.given:
        meta["task"] = {"name": task, "args": {"factor": 2}}
        described |= {"given": list(space.given), "data": list(space.shape)}
    tensors = {f"G_ema/{key}": value for key, value in net.state_dict().items()}
    container.write(path, tensors, meta | {"space": described})
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Generators of each kind that the page knows."""
    folder = tmp_path_factory.mktemp("generators")
    codes = {"name": "codes", "args": {"categories": [3], "continuous": 1}}
    kinds: dict[str, tuple[Any, ...]] = {
        "digits": ("mlp", MLP, Space((1, 8, 8))),
        "pets": ("mlp", MLP, Space((3, 8, 6), CLASSES)),
        "style": ("stylegan2", STYLE, Space((1, 8, 8))),
        "ring": ("mlp", MLP, Space((2,))),
        "line": ("mlp", MLP, Space((1,))),
        "sharper": ("unet", UNET, Space((1, 8, 8), given=(1, 4, 4)), "superres"),
    }
    made = {name: written(folder / f"{name}.safetensors", *kind) for name, kind in kinds.items()}
    info = {"z_dim": 7} | {key: value for key, value in MLP.items() if key != "z_dim"}
    path = folder / "info.safetensors"
    return made | {"info": written(path, "mlp", info, Space((1, 8, 8)), prior=codes)}


class Site:
    """A running server, asked by HTTP as it comes."""

    def __init__(self, port: int):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **heads: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        named = {key.replace("_", "-"): value for key, value in heads.items()}
        with closing(connection):
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def get(self, path: str) -> bytes:
        status, _, body = self.ask(path)
        assert status == 200, body
        return body

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def pixels(self, path: str) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.get(path))))


@contextmanager
def running(path: Path, host: str = "127.0.0.1") -> Iterator[Site]:
    import uvicorn

    from gan_cli.page.app import application
    from gan_cli.page.studio import Studio

    app = application(Studio(Sampler.load(path), path.stem), Guard(host))
    door = serve.listening("127.0.0.1", 0)
    server = uvicorn.Server(serve.settings(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
    thread.start()
    try:
        yield Site(door.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def sites(files: dict[str, Path]) -> Iterator[Callable[[str], Site]]:
    """A server of each generator, started when it is first asked for."""
    pytest.importorskip("uvicorn", reason="pip install 'gan-cli[serve]'")
    pytest.importorskip("starlette", reason="pip install 'gan-cli[serve]'")
    from contextlib import ExitStack

    with ExitStack() as stack:
        found: dict[str, Site] = {}

        def site(name: str) -> Site:
            if name not in found:
                found[name] = stack.enter_context(running(files[name]))
            return found[name]

        yield site


# ── what is drawn ───────────────────────────────────────────────────────────────────────────────


def test_a_seed_is_drawn_as_gan_sample_draws_it(files, sites):
    x = Sampler.load(files["digits"]).sample(4, seed=3)
    wanted = ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)[:, 0].numpy()
    sheet = sites("digits").pixels("/api/draw?seed=3&n=4")
    assert np.array_equal(sheet, np.block([[wanted[0], wanted[1]], [wanted[2], wanted[3]]]))
    assert np.array_equal(sites("digits").pixels("/api/draw?seed=3&first=2"), wanted[2])


def test_a_sheet_that_is_not_full_ends_in_black(sites):
    sheet = sites("digits").pixels("/api/draw?n=3")
    assert sheet.shape == (16, 16)
    assert sheet[:8].any()
    assert not sheet[8:, 8:].any()


def test_a_step_along_a_direction_is_a_step_of_z(files, sites):
    sampler = Sampler.load(files["digits"])
    found = directions(sampler, 2)
    z = sampler.codes(range(1), 5) + 1.5 * found.vectors[1]
    wanted = ((sampler.generate(z)[0, 0] + 1) * 127.5).round().numpy()
    assert np.array_equal(sites("digits").pixels("/api/draw?seed=5&move=1:1.5"), wanted)


def test_numbers_of_z_can_be_set_one_by_one(sites):
    site = sites("digits")
    z = site.json("/api/codes?seed=2")["z"]
    assert len(z) == 4
    all_of_it = ",".join(f"{i}:{number:.6f}" for i, number in enumerate(z))
    assert site.get(f"/api/draw?seed=9&z={all_of_it}") == site.get("/api/draw?seed=2")


def test_a_class_is_drawn_when_it_is_asked_for(files, sites):
    x = Sampler.load(files["pets"]).sample(1, 0, c=torch.tensor([2]))
    wanted = ((x[0] + 1) * 127.5).round().permute(1, 2, 0).numpy()
    assert np.array_equal(sites("pets").pixels("/api/draw?label=2"), wanted)
    assert sites("pets").json("/api/about")["classes"] == list(CLASSES)


def test_truncation_holds_for_one_answer(sites):
    site = sites("style")
    whole = site.get("/api/draw?seed=1")
    assert site.get("/api/draw?seed=1&psi=0.3") != whole
    assert site.get("/api/draw?seed=1") == whole
    assert site.get("/api/draw?seed=1&psi=0") == site.get("/api/draw?seed=2&psi=0")
    assert [sites(name).json("/api/about")["psi"] for name in ("style", "digits")] == [True, False]


def test_points_are_numbers_within_the_frame(files, sites):
    points = np.array(sites("ring").json("/api/draw?seed=4&n=100")["points"])
    assert np.allclose(points, Sampler.load(files["ring"]).sample(100, 4), rtol=1e-4)
    left, right, bottom, top = sites("ring").json("/api/about")["frame"]
    inside = (left < points[:, 0]) & (points[:, 0] < right)
    assert (inside & (bottom < points[:, 1]) & (points[:, 1] < top)).mean() > 0.95
    assert len(sites("line").json("/api/draw?n=7")["points"]) == 7


def test_a_picture_is_answered_as_gan_sample_answers_it(files, sites):
    site, sampler = sites("sharper"), Sampler.load(files["sharper"])
    pixels = np.random.default_rng(0).integers(0, 255, (4, 4), np.uint8)
    status, _, body = site.ask("/api/given", "POST", png(pixels))
    assert status == 200
    told = json.loads(body)
    c = torch.from_numpy(pixels).float().div(127.5).sub(1)[None, None]
    wanted = ((sampler.generate(sampler.codes(range(1), 6), c)[0, 0] + 1) * 127.5).round().numpy()
    assert np.array_equal(site.pixels(f"/api/draw?seed=6&given={told['given']}"), wanted)
    assert np.array_equal(site.pixels(f"/api/given?given={told['given']}"), pixels)
    assert len(told["shares"]) == 3
    assert site.ask("/api/draw?seed=6")[0] == 400


def test_the_input_can_be_made_of_a_whole_picture(sites):
    site = sites("sharper")
    bright = png(np.full((30, 30), 200, np.uint8))
    name = json.loads(site.ask("/api/given?whole=1", "POST", bright)[2])["given"]
    assert site.pixels(f"/api/given?given={name}").tolist() == [[200] * 4] * 4


def test_only_the_last_pictures_are_remembered(sites):
    site, names = sites("sharper"), []
    for shade in range(10):
        picture = png(np.full((4, 4), shade, np.uint8))
        names.append(json.loads(site.ask("/api/given", "POST", picture)[2])["given"])
    assert [site.ask(f"/api/given?given={name}")[0] for name in names] == [400] * 2 + [200] * 8


def test_a_file_says_where_it_comes_from(files, sites):
    status, heads, body = sites("digits").ask("/api/file?seed=7&n=4&move=0:-2")
    assert status == 200
    assert heads["content-disposition"] == 'attachment; filename="sample-step12-seed7.png"'
    text = Image.open(io.BytesIO(body)).text  # type: ignore[attr-defined]
    assert text["latent"] == "seed=7 n=4 move=0:-2"
    assert text["checkpoint"] == container.read(files["digits"]).sha256


def test_one_picture_is_drawn_at_a_time_for_many_who_ask(sites):
    site = sites("style")
    alone = {psi: site.get(f"/api/draw?psi={psi}") for psi in (0.25, 0.5, 0.75)}
    wrong: list[float] = []

    def ask(psi: float) -> None:
        wrong.extend(psi for _ in range(8) if site.get(f"/api/draw?psi={psi}") != alone[psi])

    threads = [threading.Thread(target=ask, args=(psi,)) for psi in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ── directions ──────────────────────────────────────────────────────────────────────────────────


class Linear(torch.nn.Module):
    """x = A z, whose response to z is A everywhere."""

    def __init__(self, matrix: torch.Tensor):
        super().__init__()
        self.z_dim = matrix.shape[1]
        self.matrix = torch.nn.Parameter(matrix)

    def forward(self, z: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        return z @ self.matrix.T


def test_the_directions_of_a_linear_generator_are_its_singular_vectors():
    basis = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(0)))[0]
    strength = torch.tensor([5.0, 2.0, 0.5, 0.1, 0.0])
    found = directions(Sampler(Linear(torch.diag(strength) @ basis), Space((5,))), 3)
    unit = found.vectors / found.vectors.norm(dim=1, keepdim=True)
    assert (unit[:2] * basis[:2]).sum(1).abs().min() > 0.99
    assert torch.allclose(found.vectors.norm(dim=1), torch.ones(3), atol=0.05)  # std of the prior
    wanted = strength.square() / strength.square().sum()
    assert found.shares == pytest.approx(wanted[:3].tolist(), abs=0.03)


def test_directions_leave_codes_alone_that_mean_something(files):
    found = directions(Sampler.load(files["info"]), 10)
    assert found.vectors.shape == (3, 7)  # of seven numbers, four are codes
    assert not found.vectors[:, :4].any()


@pytest.mark.parametrize("dim", [40, 4000])  # fewer numbers than probes, and more
def test_the_strongest_direction_is_found_in_any_dimension(dim):
    matrix = torch.zeros(2, dim)
    matrix[0, 7], matrix[1, 11] = -3.0, 1.0
    found = directions(Sampler(Linear(matrix), Space((2,))), 2)
    assert found.vectors.abs().argmax(1).tolist() == [7, 11]
    assert (found.vectors[[0, 1], [7, 11]] > 0.9).all()
    assert found.shares == pytest.approx((0.9, 0.1), abs=0.02)


def test_a_generator_that_is_deaf_to_z_has_directions_of_no_share():
    class Deaf(Linear):
        def forward(self, z: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
            return self.matrix.detach().expand(len(z), -1)

    found = directions(Sampler(Deaf(torch.ones(1, 5)), Space((5,))), 2)
    assert found.shares == (0.0, 0.0)
    assert found.vectors.isfinite().all()


def test_directions_are_the_same_each_time(files):
    first, second = (directions(Sampler.load(files["style"]), 4) for _ in range(2))
    assert torch.equal(first.vectors, second.vectors)


# ── who may ask, and what for ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "query",
    [
        "seed=-1",
        "seed=1e3",
        "seed=9999999999999999",
        "seed=٣",
        "seed=1&seed=2",
        "n=0",
        "n=4097",
        "n=99999999999999999999999",
        "move=0:nan",
        "move=0:inf",
        "move=0:1e9",
        "move=0:11",
        "move=99:1",
        "move=0:1,0:2",
        "move=0",
        "z=4:1",
        "z=-1:1",
        "z=" + ",".join(f"{i}:1" for i in range(5000)),
        "psi=2",
        "psi=0.5",  # this generator has none
        "label=0",
        "given=0123456789abcdef",
        "given=../../etc/passwd",
        "file=/etc/passwd",
    ],
)
def test_what_can_not_be_is_refused_in_a_line(sites, query):
    status, heads, body = sites("digits").ask(f"/api/draw?{quoted(query)}")
    assert status == 400
    assert heads["content-type"] == "application/json"
    told = json.loads(body)
    assert told.keys() == {"error"}
    assert "\n" not in told["error"]
    assert "Traceback" not in told["error"]


def test_more_numbers_than_a_picture_holds_are_refused(sites):
    assert sites("digits").ask("/api/draw?n=4096")[0] == 200  # 8×8 each
    assert sites("style").json("/api/about")["views"] == [1, 16, 64]
    with pytest.raises(UserMistake, match="n is a whole number from 1 to 4096"):
        Order.of([("n", "5000")])


@pytest.mark.parametrize(
    "path",
    [
        "/../serve.py",
        "/%2e%2e/serve.py",
        "/page.html",
        "/static/x",
        "//etc/passwd",
        "/api",
        "/api/",
    ],
)
def test_nothing_is_read_from_the_disk_but_the_page(sites, path):
    status, _, body = sites("digits").ask(path)
    assert status in {404, 307}
    assert b"import" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused(sites, method):
    for path in ("/", "/api/draw"):
        status, heads, body = sites("digits").ask(path, method)
        assert status == 405
        assert "error" in json.loads(body)
        assert not [name for name in heads if name.startswith("access-control")]


@pytest.mark.parametrize(
    "heads",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8000"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "192.168.0.7"},
        {"Host": "localhost:80@evil.example"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_other_sites_are_refused_by_every_address(sites, heads):
    for path, method in (("/api/about", "GET"), ("/api/draw", "GET"), ("/api/given", "POST")):
        status, answer, body = sites("sharper").ask(path, method, **heads)
        assert status == 403
        assert "error" in json.loads(body)
        assert "default-src 'none'" in answer["content-security-policy"]


def test_the_page_itself_may_be_linked_to(sites):
    assert sites("digits").ask("/", Sec_Fetch_Site="cross-site")[0] == 200
    assert sites("digits").ask("/", Host="evil.example")[0] == 403


def test_the_names_that_a_server_goes_by():
    here, everywhere = Guard("127.0.0.1"), Guard("0.0.0.0")
    for name in ("127.0.0.1:8000", "localhost", "localhost:9999", "[::1]:80", "127.0.0.2"):
        assert here.goes_by(name), name
        assert everywhere.goes_by(name), name
    for name in ("192.168.0.7:80", "[fe80::1]", "10.0.0.1", socket.gethostname().lower()):
        assert not here.goes_by(name), name
        assert everywhere.goes_by(name), name
    for name in ("evil.example", "localhost.evil.example", "[::1", "localhost:x", ""):
        assert not here.goes_by(name), name
        assert not everywhere.goes_by(name), name
    assert not here.public
    assert everywhere.public
    assert Guard("lab.example").goes_by("lab.example:80")


def test_its_own_origin_is_welcome(sites):
    site = sites("sharper")
    picture = png(np.zeros((4, 4), np.uint8))
    heads = {"Origin": site.url, "Sec_Fetch_Site": "same-origin"}
    assert site.ask("/api/given", "POST", picture, **heads)[0] == 200


@pytest.mark.parametrize("body", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"x" * 100])
def test_what_is_no_picture_is_refused(sites, body):
    status, _, answer = sites("sharper").ask("/api/given", "POST", body)
    assert status == 400
    assert "/" not in json.loads(answer)["error"]  # no place on this machine


@pytest.mark.parametrize("length", ["16777217", "9" * 13])
def test_a_picture_that_is_too_large_is_refused_before_it_is_read(sites, length):
    status, _, answer = sites("sharper").ask("/api/given", "POST", Content_Length=length)
    assert status == 413
    assert json.loads(answer) == {"error": "a picture of over 16 MB"}


def test_a_picture_is_refused_where_none_is_wanted(sites):
    picture = png(np.zeros((4, 4), np.uint8))
    assert sites("digits").ask("/api/given", "POST", picture)[0] == 400


def test_a_body_without_end_is_cut_off(sites):
    with socket.create_connection(("127.0.0.1", sites("sharper").port), timeout=10) as line:
        line.sendall(
            b"POST /api/given HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            line.sendall(chunk * 60)


def test_the_page_allows_its_own_script_and_nothing_else(sites):
    status, heads, body = sites("digits").ask("/")
    assert status == 200
    policy = dict(
        part.strip().split(" ", 1) for part in heads["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["script-src"].startswith("'sha256-")
    assert "unsafe" not in heads["content-security-policy"]
    assert heads["x-content-type-options"] == "nosniff"
    text = body.decode()
    assert not re.search(r"(src|href)=\"(https?:)?//", text)
    assert "innerHTML" not in text
    assert " style=" not in text


# ── the command ─────────────────────────────────────────────────────────────────────────────────


def started(*words: str | Path) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "gan_cli", "serve", *map(str, words)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run behind `&`,
    try:  # Ctrl-C is ignored, and would be by the command too
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout
    return process, process.stdout.readline()


def test_the_command_tells_its_address_and_ends_quietly(files):
    process, told = started("--ckpt", files["digits"], "--port", "0", "--device", "cpu")
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)  digits, step 12; Ctrl-C stops it\n", told)
    assert found, (told, process.communicate())
    site = Site(int(found[1]))
    assert b"<!doctype html>" in site.get("/")
    assert site.json("/api/about")["name"] == "digits"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "", "stopped\n")


def test_a_port_that_is_taken(files, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserMistake, match=f"--port {port} is taken: --port 0"):
            serve.main(["--ckpt", str(files["digits"]), "--port", str(port)])
        monkeypatch.setattr(serve, "PORT", port)
        with serve.listening("127.0.0.1", None) as door:
            assert port < door.getsockname()[1] < port + serve.TRIES


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "which generator"),
        (["--ckpt", "x", "--port", "70000"], "is no port"),
        (["--ckpt", "x", "--host", "a b"], "no name or address"),
        (["--ckpt", "x", "--host", "203.0.113.9"], "--host 203.0.113.9"),
        (["--ckpt", "x", "--colour", "red"], "unrecognized arguments"),
    ],
)
def test_what_can_not_be_served_is_refused(words, told, files):
    there = [str(files["digits"]) if word == "x" else word for word in words]
    with pytest.raises(UserMistake, match=re.escape(told)):
        serve.main(there)


def test_other_machines_are_let_in_with_a_warning_only(capsys):
    serve.tell("http://localhost:8000", "x", 1, public=True)
    assert "no password" in capsys.readouterr().err
    serve.tell("http://127.0.0.1:8000", "x", 1, public=False)
    assert not capsys.readouterr().err


def test_the_extra_is_named_when_it_lacks(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UserMistake, match=re.escape("pip install 'gan-cli[serve]'")):
        serve.main(["--ckpt", str(files["digits"])])


def test_points_of_many_numbers_have_no_page(tmp_path):
    from gan_cli.page.studio import Studio

    path = written(tmp_path / "x.safetensors", "mlp", MLP, Space((5,)))
    with pytest.raises(UserMistake, match="points of 5 numbers"):
        Studio(Sampler.load(path), "x")


def test_the_commands_of_its_page_in_the_docs_are_understood():
    page = (ROOT / "docs" / "serve.md").read_text("utf-8")
    found = re.findall(r"^\s*gan serve (.*?)(?: #.*)?$", page, re.MULTILINE)
    assert len(found) > 2
    for words in found:
        serve.parser().parse_args(words.split())


# ── in a browser ────────────────────────────────────────────────────────────────────────────────


class Page:
    """A page in headless Chromium."""

    def __init__(self, driver: Any):
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get("about:blank")
        self.driver.get(url)

    def run(self, script: str, *values: object) -> Any:
        return self.driver.execute_script(script, *values)

    def picture(self, count: int = 1) -> str:
        """What is on the canvas, once it has been drawn so many times and nothing is under way."""
        ready = "return !busy && +(document.getElementById('picture').dataset.drawn ?? 0)"
        for _ in range(400):
            if (self.run(ready) or 0) >= count:
                return self.run("return document.getElementById('picture').toDataURL()")
            time.sleep(0.02)
        raise AssertionError(self.run("return document.getElementById('told').textContent"))

    def drawn(self) -> int:
        return int(self.run("return +(document.getElementById('picture').dataset.drawn ?? 0)"))

    def after(self, act: Callable[[], object]) -> str:
        """The picture that an action leads to."""
        before = self.drawn()
        act()
        return self.picture(before + 1)

    def click(self, css: str) -> str:
        return self.after(self.driver.find_element("css selector", css).click)

    def slide(self, css: str, value: float) -> str:
        script = (
            "const s = document.querySelector(arguments[0]); s.value = arguments[1];"
            "s.dispatchEvent(new Event('input', {bubbles: true}))"
        )
        return self.after(lambda: self.run(script, css, value))

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A browser, if Chromium and its driver are installed."""
    driver = shutil.which("chromedriver")
    binary = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if not driver or not binary:
        pytest.skip("needs chromium and chromedriver: apt install chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="pip install selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    profile = tmp_path_factory.mktemp("profile")
    for word in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "no-first-run",
    ):
        options.add_argument(f"--{word}")
    options.add_argument("--disable-background-networking")
    options.add_argument(f"--user-data-dir={profile}")
    options.add_argument("--window-size=1280,800")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    started = webdriver.Chrome(options=options, service=service)
    started.set_script_timeout(10)
    yield Page(started)
    started.quit()


def test_the_page_shows_samples_without_complaint(page, sites):
    page.open(sites("digits").url)
    page.picture()
    assert page.run("return document.getElementById('name').textContent") == "digits"
    assert "mlp · step 12" in page.run("return document.getElementById('about').textContent")
    assert page.run("return document.querySelectorAll('#sliders .row').length") == 4
    hidden = "return ['class-of', 'psi-of', 'codes-of', 'picture-of'].map(i => by(i).hidden)"
    assert page.run(hidden) == [True] * 4
    assert page.complaints() == []


def test_sliders_and_seeds_change_the_picture_and_come_back(page, sites):
    page.open(sites("digits").url)
    first = page.picture()
    moved = page.slide("#sliders input", 2.5)
    assert moved != first
    assert page.slide("#sliders input", 0) == first
    assert page.click("#next") != first
    assert page.click("#before") == first
    assert page.click("#random") != first
    assert page.complaints() == []


def test_the_address_holds_what_is_seen(page, sites):
    page.open(sites("digits").url + "#seed=3")
    page.picture()
    moved = page.slide("#sliders input", -1.5)
    page.run("document.getElementById('link').click()")
    url = page.run("return location.href")
    assert url.endswith("#seed=3&move=0:-1.5")
    page.open(url)
    assert page.picture() == moved
    page.open(sites("digits").url + "#seed=x&n=17&move=9:9,zz&z=0:1e9&psi=<b>&label=7&given=..")
    page.picture()
    assert page.complaints() == []


def test_numbers_of_z_have_sliders_too(page, sites):
    page.open(sites("digits").url)
    first = page.picture()
    page.run("document.querySelector('#modes button[value=z]').click()")
    wanted = sites("digits").json("/api/codes?seed=0")["z"][0]
    value = page.run("return +document.querySelector('#sliders input').value")
    assert value == pytest.approx(wanted, abs=0.03)
    assert page.slide("#sliders input", 3) != first


def test_a_sample_of_many_can_be_looked_at_alone(page, sites):
    page.open(sites("digits").url + "#seed=1&n=16")
    page.picture()
    spot = (
        "const b = by('picture').getBoundingClientRect(), at = {clientX: b.left + b.width * .4, "
        "clientY: b.top + b.height * .1};"
        "by('picture').dispatchEvent(new MouseEvent('click', at))"
    )
    alone = page.after(lambda: page.run(spot))
    page.open(sites("digits").url + "#seed=1&first=1")
    assert page.picture() == alone


def test_classes_are_chosen_by_buttons_and_shown_as_they_are_written(page, sites):
    page.open(sites("pets").url)
    first = page.picture()
    told = page.run(
        "return [...document.querySelectorAll('#classes button')].map(b => b.textContent)"
    )
    assert told == ["all", *CLASSES]
    assert page.click("#classes button[value='2']") != first
    assert page.click("#classes button[value=all]") == first
    assert page.complaints() == []  # the class that is markup was not taken for it


def test_truncation_has_a_slider_where_there_is_one(page, sites):
    page.open(sites("style").url)
    first = page.picture()
    assert page.slide("#psi input", 0.2) != first
    assert page.slide("#psi input", 1) == first


def test_codes_have_controls_of_their_own(page, sites):
    page.open(sites("info").url)
    first = page.picture()
    script = (
        "const s = document.querySelector('#codes select'); s.value = 2;"
        "s.dispatchEvent(new Event('change'))"
    )
    second = page.after(lambda: page.run(script))
    assert second != first
    assert page.slide("#codes input", -1.5) != second
    assert page.complaints() == []


def test_points_are_drawn(page, sites):
    for name in ("ring", "line"):
        page.open(sites(name).url)
        first = page.picture()
        assert page.click("#next") != first
    assert page.complaints() == []


def test_a_picture_is_sent_and_answered(page, sites, tmp_path):
    picture = tmp_path / "in.png"
    picture.write_bytes(png(np.random.default_rng(0).integers(0, 255, (20, 20), np.uint8)))
    page.open(sites("sharper").url)
    chooser = page.driver.find_element("id", "file")
    first = page.after(lambda: chooser.send_keys(str(picture)))
    assert page.run("return !by('thumb').hidden && by('thumb').src.startsWith('blob:')")
    assert page.click("#next") != first
    assert page.complaints() == []


def test_the_picture_can_be_kept(page, sites):
    page.open(sites("digits").url + "#seed=2")
    page.picture()
    link = page.run("return by('save').href")
    assert link == f"{sites('digits').url}/api/file?seed=2"
    path = link.removeprefix(sites("digits").url)
    fetched = (
        "const done = arguments[1]; fetch(arguments[0]).then(a => a.blob()).then(b => done(b.size))"
    )
    assert page.driver.execute_async_script(fetched, path) == len(sites("digits").get(path))


def test_the_walk_moves_the_sliders_until_it_is_stopped(page, sites):
    page.open(sites("digits").url)
    first, before = page.picture(), page.drawn()
    page.run("by('walk').click()")
    page.picture(before + 5)
    page.run("by('walk').click()")
    assert page.picture() != first
    stopped = page.drawn()
    time.sleep(0.2)
    assert page.drawn() <= stopped + 1
    assert page.run("return by('walk').textContent") == "Walk"


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def quoted(query: str) -> str:
    from urllib.parse import quote

    return quote(query, safe="=&,:.-/")
