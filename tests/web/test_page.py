"""The page, in a real browser where Debian's Chromium is installed."""

import csv
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, Response, request
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cnnlib.codec.filenames import label_of
from cnnlib.config import SampleConfig
from cnnlib.data.folders import list_entries
from cnnlib.web.received_pictures import prune
from tests.helpers import free_port, running
from tests.web.clients import client_of, loaded

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
expect.set_options(timeout=30_000)  # milliseconds: a busy machine
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt install chromium)")


@pytest.fixture
def page_config(api_config: SampleConfig, picture: Path) -> Iterator[SampleConfig]:
    """With a captcha source that gives the one picture."""
    source = Flask("source")
    source.add_url_rule("/captcha/", view_func=lambda: Response(picture.read_bytes(), mimetype="image/png"))
    with running(source) as address:
        yield api_config.model_copy(update={"remote_url": f"{address}/captcha/"})


def app_of(*configs: SampleConfig, **options: Any) -> Flask:
    """The application with the models of some configs, `small` and `large`."""
    models = [loaded(name, config) for name, config in zip(("small", "large"), configs, strict=False)]
    return client_of(*models, **options).application


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser that remembers nothing. An error in its script or against its policy fails the test."""
    with browser.new_context() as context:
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if "Content Security" in line.text else None)
        yield page
    assert not faults


def test_page_is_served_with_a_strict_policy(page_config: SampleConfig) -> None:
    answer = app_of(page_config).test_client().get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script>|style=|onclick=", answer.text)


def test_fresh_picture_comes_from_the_source(page_config: SampleConfig, picture: Path) -> None:
    client = app_of(page_config).test_client()
    assert client.get("/fresh").data == picture.read_bytes()
    assert client.get("/fresh").mimetype == "image/png"
    gone = (
        app_of(page_config.model_copy(update={"remote_url": "http://127.0.0.1:1/captcha/"})).test_client().get("/fresh")
    )
    assert (gone.status_code, gone.json["error_code"]) == (502, "1007")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"nonsense\r\n\r\n", "can't be reached"),
        (b"HTTP/1.0 404 Gone\r\n\r\n", "answered 404"),
        (b"HTTP/1.0 200 OK\r\nContent-Type: image/png\r\n\r\n<svg/>", "not a PNG"),
        (b"HTTP/1.0 200 OK\r\nContent-Type: image/png\r\n\r\n" + bytes(2**20 + 1), "at most 1048576 bytes; got more"),
    ],
    ids=["nonsense", "404", "svg", "large"],
)
def test_source_that_gives_no_picture_is_an_error(page_config: SampleConfig, answer: bytes, message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def give() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        threading.Thread(target=give).start()
        source = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        fresh = app_of(page_config.model_copy(update={"remote_url": source})).test_client().get("/fresh")
    assert (fresh.status_code, fresh.json["error_code"]) == (502, "1007")
    assert message in fresh.json["message"]


def test_source_may_name_another_type_but_not_answer_for_ever(
    page_config: SampleConfig, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):  # which are not asked for this very machine
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    source = Flask("source")
    source.add_url_rule("/named", "named", lambda: Response(picture.read_bytes(), mimetype="image/jpg"))
    source.add_url_rule("/slow", "slow", lambda: Response(b"." for _ in iter(lambda: time.sleep(0.05), 1)))
    with running(source) as address:
        clients = [
            app_of(page_config.model_copy(update={"remote_url": f"{address}/{path}"})).test_client()
            for path in ("named", "slow")
        ]
        named = clients[0].get("/fresh")
        monkeypatch.setattr("cnnlib.web.page.TIMEOUT_S", 0.5)
        slow = clients[1].get("/fresh")
    assert (named.data, named.mimetype) == (picture.read_bytes(), "image/png")
    assert (slow.status_code, slow.json["error_code"]) == (502, "1007")


def test_source_may_have_any_address_that_a_config_takes(page_config: SampleConfig, picture: Path) -> None:
    source = Flask("source")

    @source.get("/größe/")
    def guarded() -> Response:
        user = request.authorization
        if user is None or (user.username, user.password) != ("ann", "p w"):
            return Response(status=401)
        return Response(picture.read_bytes() if request.args["a"] == "b c" else b"")

    with running(source) as address:
        place = address.removeprefix("http://")

        def fresh(url: str) -> Any:
            return app_of(page_config.model_copy(update={"remote_url": url})).test_client().get("/fresh")

        for path in ("größe/", "größe"):  # the second is sent on to the first
            assert fresh(f"http://ann:p%20w@{place}/{path}?a=b c#part").data == picture.read_bytes()
        assert fresh(f"http://ann:wrong@{place}/größe/").json["message"] == (
            f"http://{place}/größe/: the captcha source answered 401"
        )


@needs_browser
def test_chosen_pictures_are_read_and_listed(page: Page, page_config: SampleConfig, picture: Path, text: str) -> None:
    with running(app_of(page_config)) as address:
        page.goto(address)
        expect(page.get_by_role("status")).to_have_count(1)  # screen readers announce only what was there before
        page.get_by_label("Choose pictures").set_input_files([picture, picture])
        expect(page.get_by_role("status")).to_contain_text(text)
        expect(page.locator("#text")).to_contain_text(text)
        expect(page.get_by_role("row")).to_have_count(3)
        expect(page.locator("meter")).to_have_count(len(text))
        expect(page.locator("#model-choice")).to_be_hidden()
        expect(page.locator("#picture")).to_have_js_property("naturalWidth", 32)


@needs_browser
def test_example_is_read_and_not_kept(page: Page, page_config: SampleConfig) -> None:
    with running(app_of(page_config, token="sesame")) as address:
        page.goto(address)
        expect(page.locator("#examples")).to_be_hidden()
        page.get_by_label("Token of this server").fill("sesame")
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_role("button", name="Read example")).to_have_count(3)
        page.get_by_role("button", name="Read example 2").click()
        expect(page.locator("#file")).to_have_text(re.compile("An example, labelled [01]{2}"))
        expect(page.locator("#text")).to_have_text(page.locator("#file").inner_text()[-2:])
        expect(page.locator("#correction")).to_be_hidden()
        expect(page.locator("#not-kept")).to_be_hidden()
        assert not page_config.api_image_dir.exists() or list_entries(page_config.api_image_dir) == []


@needs_browser
def test_no_examples_are_offered_where_there_are_none(page: Page, page_config: SampleConfig, tmp_path: Path) -> None:
    with running(app_of(page_config.model_copy(update={"train_image_dir": tmp_path / "none"}))) as address:
        page.goto(address)
        expect(page.locator("#about")).to_be_visible()
        expect(page.locator("#fresh")).to_be_visible()
        expect(page.locator("#examples")).to_be_hidden()


@pytest.mark.slow
@needs_browser
def test_fresh_captcha_is_fetched_with_the_keyboard_alone(page: Page, page_config: SampleConfig, text: str) -> None:
    with running(app_of(page_config)) as address:
        page.goto(address)
        expect(page.locator("#fresh")).to_be_visible()
        for _ in range(10):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "fresh":
                break
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(text)


@pytest.mark.slow
@needs_browser
def test_waiting_for_a_slow_source_is_shown(page: Page, page_config: SampleConfig, picture: Path, text: str) -> None:
    source, gate = Flask("slow"), threading.Event()
    gate.set()

    @source.get("/")
    def give() -> Response:
        gate.wait(60)
        return Response(picture.read_bytes(), mimetype="image/png")

    with (
        running(source) as remote,
        running(app_of(page_config.model_copy(update={"remote_url": remote}))) as address,
    ):
        page.goto(address)
        waiting = page.get_by_text("Waiting for the server")
        expect(waiting).to_be_hidden()
        expect(page.locator("#fresh")).to_be_visible()  # the source has answered once
        gate.clear()
        page.get_by_role("button", name="Fetch").click()
        expect(waiting).to_be_visible()
        gate.set()
        expect(page.get_by_role("status")).to_contain_text(text)
        expect(waiting).to_be_hidden()


@pytest.mark.slow
@needs_browser
def test_file_that_cannot_be_read_is_named(
    page: Page, page_config: SampleConfig, picture: Path, tmp_path: Path
) -> None:
    notes, other = tmp_path / "notes.png", tmp_path / "other.png"
    for path in (notes, other):
        path.write_text("no picture")
    with running(app_of(page_config)) as address:
        page.goto(address)
        page.get_by_label("Choose pictures").set_input_files([notes, picture, other])
        for name in ("notes.png", "other.png"):
            expect(page.get_by_role("alert")).to_contain_text(f"{name}: picture 1: not a PNG, JPEG, GIF, BMP or WebP")
        expect(page.get_by_role("row")).to_have_count(2)
        assert [line.split(":")[0] for line in page.get_by_role("alert").inner_text().splitlines()] == [
            "notes.png",
            "other.png",
        ]


@pytest.mark.slow
@needs_browser
def test_pictures_are_dropped_and_pasted(page: Page, page_config: SampleConfig, picture: Path, text: str) -> None:
    with running(app_of(page_config)) as address:
        page.goto(address)
        for number, (kind, holder) in enumerate((("drop", "dataTransfer"), ("paste", "clipboardData")), 2):
            page.evaluate(
                """([kind, holder, bytes]) => {
                  const transfer = new DataTransfer();
                  transfer.items.add(new File([new Uint8Array(bytes)], "x.png", { type: "image/png" }));
                  const event = new Event(kind, { bubbles: true, cancelable: true });
                  Object.defineProperty(event, holder, { value: transfer });
                  document.body.dispatchEvent(event);
                }""",
                [kind, holder, list(picture.read_bytes())],
            )
            expect(page.get_by_role("row")).to_have_count(number)
        expect(page.get_by_role("status")).to_contain_text(text)


@pytest.mark.slow
@needs_browser
def test_model_can_be_chosen_when_there_are_several(
    page: Page, page_config: SampleConfig, picture: Path, other_size: SimpleNamespace
) -> None:
    large = other_size.config.model_copy(update={"api_image_dir": page_config.api_image_dir})
    with running(app_of(page_config, large)) as address:
        page.goto(address)
        page.get_by_label("Model").select_option("large")
        page.get_by_label("Choose pictures").set_input_files(picture)
        expect(page.get_by_role("alert")).to_contain_text("expected 40x20 pixels; got 32x16")


@needs_browser
def test_token_is_asked_for_and_used(page: Page, page_config: SampleConfig, picture: Path, text: str) -> None:
    with running(app_of(page_config, token="sesame")) as address:
        page.goto(address)
        expect(page.get_by_role("alert")).to_have_text("The server asks for its token.")
        page.get_by_label("Token of this server").fill("open")
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_role("alert")).to_have_text("The server doesn't take this token.")
        page.get_by_label("Token of this server").fill("sésame")  # which no header can hold
        page.get_by_role("button", name="Use it").click()
        assert page.evaluate("document.querySelector('#token').validity.patternMismatch")
        page.get_by_label("Token of this server").fill(" sesame ")
        page.get_by_role("button", name="Use it").click()
        page.get_by_label("Choose pictures").set_input_files(picture)
        expect(page.get_by_role("status")).to_contain_text(text)


@pytest.mark.slow
@needs_browser
def test_page_works_where_the_browser_keeps_nothing(
    page: Page, page_config: SampleConfig, picture: Path, text: str
) -> None:
    page.add_init_script("Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('denied'); } })")
    with running(app_of(page_config, token="sesame")) as address:
        page.goto(address)
        page.get_by_label("Token of this server").fill("sesame")
        page.get_by_role("button", name="Use it").click()
        page.get_by_label("Choose pictures").set_input_files(picture)
        expect(page.get_by_role("status")).to_contain_text(text)


@pytest.mark.slow
@needs_browser
def test_file_that_has_gone_or_is_too_large_is_named(page: Page, page_config: SampleConfig, tmp_path: Path) -> None:
    gone, large = tmp_path / "gone.png", tmp_path / "large.png"
    gone.write_bytes(b"x")
    large.write_bytes(bytes(2**20 - 500))
    with running(app_of(page_config)) as address:
        page.goto(address)
        page.evaluate(
            """() => document.addEventListener("change", (event) => event.stopPropagation(),
                                               { capture: true, once: true })"""
        )
        page.get_by_label("Choose pictures").set_input_files([gone, large])
        gone.unlink()
        page.evaluate("document.querySelector('#files').dispatchEvent(new Event('change'))")
        expect(page.get_by_role("alert")).to_contain_text("gone.png: it can't be read any more")
        expect(page.get_by_role("alert")).to_contain_text("large.png: expected at most 1047552 bytes; it has 1048076")


@needs_browser
def test_correction_files_the_picture_under_its_label(
    page: Page, page_config: SampleConfig, picture: Path, tmp_path: Path
) -> None:
    config = page_config.model_copy(update={"new_image_dir": tmp_path / "new"})
    with running(app_of(config)) as address:
        page.goto(address)
        page.get_by_label("Choose pictures").set_input_files(picture)
        field = page.get_by_label("What it shows")
        for label in ("10", "11"):
            field.fill(label)
            field.press("Enter")
            expect(page.locator("#filed")).to_contain_text(f"Filed as {label}_")
            expect(page.get_by_role("cell", name=label, exact=True)).to_be_visible()
        (filed,) = list_entries(config.new_image_dir)
        assert label_of(filed.name) == "11"
        assert filed.read_bytes() == picture.read_bytes()
        assert list_entries(config.api_image_dir) == []
        field.fill("<b>")
        field.press("Enter")
        expect(page.locator("#refused")).to_contain_text("not in the alphabet: < b >")
        expect(page.locator("#filed")).to_have_text("")


@pytest.mark.slow
@needs_browser
def test_correction_of_a_picture_that_was_deleted_sends_it_once_more(
    page: Page, page_config: SampleConfig, picture: Path, tmp_path: Path
) -> None:
    config = page_config.model_copy(update={"new_image_dir": tmp_path / "new"})
    with running(app_of(config, token="sesame")) as address:
        page.goto(address)
        page.get_by_label("Token of this server").fill("sesame")
        page.get_by_role("button", name="Use it").click()
        page.get_by_label("Choose pictures").set_input_files(picture)
        expect(page.get_by_label("What it shows")).to_be_visible()
        prune(config.api_image_dir, 0)
        page.get_by_label("What it shows").fill("10")
        page.get_by_role("button", name="File it").click()
        expect(page.locator("#filed")).to_contain_text("Filed as 10_")
        (filed,) = list_entries(config.new_image_dir)
        assert filed.read_bytes() == picture.read_bytes()
        assert list_entries(config.api_image_dir) == []


@pytest.mark.slow
@needs_browser
def test_server_that_keeps_nothing_offers_no_correction(page: Page, page_config: SampleConfig, picture: Path) -> None:
    with running(app_of(page_config.model_copy(update={"api_save": False}))) as address:
        page.goto(address)
        page.get_by_label("Choose pictures").set_input_files(picture)
        expect(page.get_by_text("Readings can't be corrected here")).to_be_visible()
        expect(page.get_by_label("What it shows")).to_be_hidden()


@pytest.mark.slow
@needs_browser
def test_source_that_does_not_answer_is_not_offered(page: Page, page_config: SampleConfig) -> None:
    config = page_config.model_copy(update={"remote_url": f"http://127.0.0.1:{free_port()}/"})
    with running(app_of(config)) as address, page.expect_response("**/fresh") as answer:
        page.goto(address)
        assert answer.value.status == 502
        expect(page.locator("#about")).to_be_visible()
        expect(page.locator("#fresh")).to_be_hidden()


@pytest.mark.slow
@needs_browser
def test_readings_of_several_files_are_counted_and_downloaded(
    page: Page, page_config: SampleConfig, picture: Path, text: str, tmp_path: Path
) -> None:
    names = ["one.png", '=1+1,"<b>.png', "three.png"]
    for name in names:
        shutil.copy(picture, tmp_path / name)
    with running(app_of(page_config)) as address:
        page.goto(address)
        page.evaluate(
            """() => {
              window.counts = [];
              new MutationObserver(() => window.counts.push(document.querySelector("#count").textContent))
                .observe(document.querySelector("#count"), { childList: true });
            }"""
        )
        page.get_by_label("Choose pictures").set_input_files([tmp_path / name for name in names])
        expect(page.get_by_role("row")).to_have_count(4)
        expect(page.locator("#progress")).to_be_hidden()
        assert page.evaluate("window.counts") == ["1 of 3", "2 of 3", "3 of 3"]
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        with Path(download.value.path()).open(newline="", encoding="utf-8-sig") as file:
            header, *rows = csv.reader(file)
        assert header == ["file", "reading", "confidence", "label"]
        assert [row[:2] for row in rows] == [["one.png", text], ["'=1+1,\"<b>.png", text], ["three.png", text]]
        page.get_by_role("button", name="Show one.png").click()
        expect(page.locator("#file")).to_have_text("one.png")


@pytest.mark.slow
@needs_browser
def test_page_says_what_is_read_and_how_programs_ask(page: Page, page_config: SampleConfig) -> None:
    with running(app_of(page_config)) as address:
        page.goto(address)
        expect(page.locator("#models")).to_contain_text("of the characters 01, on pictures of 32×16 pixels")
        expect(page.locator("#curl")).to_have_text(f"curl -F image_file=@captcha.png {address}/b")
        compile(page.locator("#python").inner_text(), "page", "exec")


@pytest.mark.slow
@needs_browser
def test_doubtful_characters_are_marked(page: Page, page_config: SampleConfig, picture: Path) -> None:
    reading = {"time": "1", "value": "0<", "speed_time(ms)": 1, "confidence": 0.5, "character_confidences": [0.99, 0.5]}
    with running(app_of(page_config)) as address:
        page.goto(address)
        page.route("**/b", lambda route: route.fulfill(json={**reading, "kept": None}))
        page.get_by_label("Choose pictures").set_input_files(picture)
        expect(page.locator("dt.doubtful")).to_have_text("<")
        expect(page.locator("#characters dt")).to_have_count(2)


@pytest.mark.slow
@needs_browser
def test_page_without_scripts_says_what_it_needs(browser: Browser, page_config: SampleConfig) -> None:
    with running(app_of(page_config)) as address, browser.new_context(java_script_enabled=False) as context:
        plain = context.new_page()
        plain.goto(address)
        expect(plain.locator("noscript p")).to_be_visible()


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_phone_and_its_text_has_contrast(
    page: Page, page_config: SampleConfig, picture: Path, scheme: Any
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme)
    with running(app_of(page_config)) as address:
        page.goto(address)
        page.get_by_label("Choose pictures").set_input_files(picture)
        expect(page.get_by_role("row")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        for selector in ("body", "#figures", "#file", "dd", "#fresh", "#drop .button", "pre", "#correction button"):
            assert page.eval_on_selector(selector, CONTRAST) >= 4.5, selector


@pytest.mark.slow
@needs_browser
def test_narrow_page_does_not_scroll_sideways(
    page: Page, page_config: SampleConfig, picture: Path, tmp_path: Path
) -> None:
    long = tmp_path / "a_long_name_of_a_picture_that_someone_saved.png"
    shutil.copy(picture, long)
    page.set_viewport_size({"width": 320, "height": 640})
    with running(app_of(page_config)) as address:
        page.goto(address)
        page.get_by_label("Choose pictures").set_input_files(long)
        expect(page.get_by_role("row")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        name = page.get_by_role("cell", name=long.name, exact=True).bounding_box()
        table = page.locator("#history").bounding_box()
        assert name
        assert table
        assert name["width"] > 200
        assert name["height"] < 80
        assert name["x"] + name["width"] <= table["x"] + table["width"]


@pytest.mark.slow
@needs_browser
def test_dropped_or_pasted_link_is_told_that_it_is_no_picture(page: Page, page_config: SampleConfig) -> None:
    with running(app_of(page_config)) as address:
        page.goto(address)
        for kind, holder in (("drop", "dataTransfer"), ("paste", "clipboardData")):
            page.evaluate(
                """([kind, holder]) => {
                  const transfer = new DataTransfer();
                  transfer.setData("text/uri-list", "http://other/a.png");
                  const event = new Event(kind, { bubbles: true, cancelable: true });
                  Object.defineProperty(event, holder, { value: transfer });
                  document.querySelector("#message").textContent = "";
                  document.body.dispatchEvent(event);
                }""",
                [kind, holder],
            )
            expect(page.get_by_role("alert")).to_contain_text("Only pictures can be read, not links or texts.")


@pytest.mark.slow
@needs_browser
def test_page_works_below_the_path_of_a_proxy(
    page: Page, page_config: SampleConfig, picture: Path, text: str, tmp_path: Path
) -> None:
    config = page_config.model_copy(update={"new_image_dir": tmp_path / "new"})
    app = app_of(config)

    @app.before_request
    def is_routed() -> None:
        assert request.environ["cut"], "the proxy sends on nothing else"

    with running(app) as address:
        app.wsgi_app = BelowPath(app.wsgi_app, "/captcha")  # type: ignore[method-assign]
        page.goto(f"{address}/captcha/")
        expect(page.locator("#curl")).to_have_text(f"curl -F image_file=@captcha.png {address}/captcha/b")
        expect(page.locator("#python")).to_contain_text(f'"{address}/captcha/b"')
        page.locator("#fresh").click()
        expect(page.locator("#text")).to_contain_text(text)
        page.get_by_label("Choose pictures").set_input_files(picture)
        expect(page.get_by_role("row")).to_have_count(3)
        field = page.get_by_label("What it shows")
        field.fill("10")
        field.press("Enter")
        expect(page.locator("#filed")).to_contain_text("Filed as 10_")


class BelowPath:
    """What a proxy does that sends on what is below a path, without the path, and nothing else."""

    def __init__(self, app: Any, path: str) -> None:
        self.app, self.path = app, path

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not environ["PATH_INFO"].startswith(f"{self.path}/"):
            return Response(status=404)(environ, start_response)
        environ |= {"PATH_INFO": environ["PATH_INFO"].removeprefix(self.path), "cut": True}
        return self.app(environ, start_response)


CONTRAST = """element => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parse(colour).slice(0, 3).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let ground = element;
  while (ground && (parse(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0) ground = ground.parentElement;
  const both = [light(getComputedStyle(element).color), light(getComputedStyle(ground).backgroundColor)];
  return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
}"""
