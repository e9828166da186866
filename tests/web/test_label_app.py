"""The page for labelling, in a real browser where Debian's Chromium is installed."""

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.filenames import label_of
from cnnlib.core.errors import SampleError
from cnnlib.data.folders import list_entries
from cnnlib.data.sources import Entry as File
from cnnlib.data.sources import list_source
from cnnlib.labelling import filing, known_texts, queue
from cnnlib.labelling.filing import Copies, Renames
from cnnlib.labelling.journal import Journal
from cnnlib.labelling.round_state import RoundState
from cnnlib.labelling.session import Label, Labelling
from cnnlib.web.label_app import create_label_app
from cnnlib.web.wsgi_bridge import waiting_routes
from tests.helpers import draw, eventually, fill, running
from tests.web.test_page import browser, needs_browser, page  # noqa: F401 (fixtures)


class Reader:
    """Reads 0l0l on every picture, and is least sure of the third character."""

    characters, lengths, version = "01l", (1, 8), "general"
    trained = False

    def refresh(self) -> None:
        """It stays the same."""

    def recognize(self, *_: Any) -> Prediction:
        return Prediction("0l0l", 0.25, (0.95, 0.8, 0.4, 0.99))


@pytest.fixture
def labelling(tmp_path: Path) -> Labelling:
    fill(tmp_path / "pictures", 4)
    files = list_source(tmp_path / "pictures").entries
    reader: Any = Reader()
    copies = Copies(tmp_path / "origin", [tmp_path / "train"])
    return Labelling(files, Journal(tmp_path / "labels.jsonl"), copies, reader)


@pytest.fixture
def app(labelling: Labelling) -> Flask:
    return create_label_app(lambda: labelling)


@pytest.fixture
def labels(tmp_path: Path) -> Any:
    return lambda: sorted(label_of(path.name) for path in list_entries(tmp_path / "origin"))


def named(asked: dict[str, Any]) -> dict[str, Any]:
    """How a question is named in what is said about it."""
    return {"number": asked["number"], "name": asked["name"]}


@pytest.fixture
def first(labelling: Labelling) -> dict[str, Any]:
    return {"number": 0, "name": labelling.name(0)}


def test_page_is_served_with_a_strict_policy(app: Flask) -> None:
    answer = app.test_client().get("/")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script>|style=|onclick=", answer.text)


def test_picture_is_asked_labelled_set_aside_and_taken_back(app: Flask, labels: Any) -> None:
    client = app.test_client()
    asked = client.get("/question?tab=a").json["question"]
    assert asked["text"] == "0l0l"
    assert asked["doubtful"] == [False, True, True, False]
    assert asked["least"] == 2
    assert client.get(f"/picture/{asked['number']}").mimetype == "image/png"
    said = named(asked) | {"tab": "a", "text": "0101", "reading": "0l0l", "confidence": 0.25}
    after = client.post("/label", json=said | {"seconds": 1.5, "model": asked["model"]}).json
    assert after["question"]["number"] != asked["number"]
    assert (after["progress"]["done"], after["progress"]["right"][0], labels()) == (1, 0, ["0101"])
    aside = client.post("/aside", json=named(after["question"]) | {"tab": "a"}).json
    assert (aside["progress"]["aside"], aside["progress"]["left"]) == (1, 2)
    assert client.post("/undo", json={"tab": "a"}).json["question"]["said"] is None
    assert client.post("/undo", json={"tab": "a"}).json["question"]["said"] == "0101"
    assert labels() == []


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/label", {"number": 9, "text": "01"}, 400, "400"),
        ("/label", {"number": True, "text": "01"}, 400, "400"),
        ("/label", {"number": None, "text": "01"}, 400, "400"),
        ("/label", {"name": "other.png", "text": "01"}, 409, "2005"),
        ("/label", {"number": 1, "text": "01"}, 409, "2005"),
        ("/label", {"name": None, "text": "01"}, 409, "2005"),
        ("/label", ["number"], 400, "400"),
        ("/label", {"number": 0, "text": ""}, 422, "2003"),
        ("/label", {"number": 0, "text": " 1"}, 422, "2003"),
        ("/label", {"number": 0, "text": "\ud800"}, 422, "2003"),
        ("/label", {"number": 0, "text": "1" * 999_999}, 422, "2003"),
        ("/aside", {"number": "0"}, 400, "400"),
    ],
)
def test_odd_words_are_refused_and_nothing_is_saved(
    app: Flask, labels: Any, first: dict[str, Any], path: str, body: Any, status: int, code: str
) -> None:
    answer = app.test_client().post(path, json=first | body if isinstance(body, dict) else body)
    assert (answer.status_code, answer.json["error_code"]) == (status, code)
    assert labels() == []


def test_odd_seconds_do_no_harm(app: Flask, labelling: Labelling, labels: Any) -> None:
    client = app.test_client()
    for number, seconds in enumerate(("x", None, 1e300, [])):
        said = {"number": number, "name": labelling.name(number), "text": "01", "seconds": seconds}
        said |= {"tab": {}, "reading": 5, "confidence": "y"}
        assert client.post("/label", json=said).status_code == 200
    assert labels() == ["01"] * 4
    assert client.post("/label", data='{"number": NaN}', content_type="application/json").status_code == 400


def test_second_label_of_a_picture_is_refused(app: Flask, first: dict[str, Any], labels: Any) -> None:
    client = app.test_client()
    assert client.post("/label", json=first | {"text": "01"}).status_code == 200
    refused = client.post("/label", json=first | {"text": "10"})
    assert (refused.status_code, refused.json["error_code"], labels()) == (409, "2001", ["01"])


def test_full_disk_is_said(app: Flask, first: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(filing, "write_atomically", full)
    answer = app.test_client().post("/label", json=first | {"text": "01"})
    assert (answer.status_code, answer.json["error_code"]) == (507, "2004")
    assert "No space left on device" in answer.json["message"]


def test_a_tab_that_was_open_before_a_start_anew_labels_no_other_picture(tmp_path: Path, labels: Any) -> None:
    def start() -> Any:
        files, reader = list_source(tmp_path / "pictures").entries, Reader()
        anyone: Any = reader
        copies = Copies(tmp_path / "origin", [])
        return create_label_app(
            lambda: Labelling(files, Journal(tmp_path / "labels.jsonl"), copies, anyone)
        ).test_client()

    fill(tmp_path / "pictures", 4)
    client = start()
    asked, sheet = client.get("/question?tab=a").json["question"], client.get("/grid?tab=b").json["questions"]
    for number in range(40):
        draw("0000", tmp_path / f"pictures/more_{number}.png", seed=number)
    client = start()
    assert client.get("/question?tab=c").json["question"]["name"] != asked["name"], "the numbers are others"
    answer = client.post("/label", json=named(asked) | {"text": "01", "tab": "a"})
    assert (answer.status_code, answer.json["error_code"]) == (409, "2005")
    answer = client.post("/accept", json={"tab": "b", "pictures": [named(each) | {"text": "01"} for each in sheet]})
    assert (answer.status_code, labels()) == (409, [])


@pytest.mark.parametrize("gone_first", [True, False])
def test_pictures_that_vanish_are_passed_over(
    app: Flask, labelling: Labelling, labels: Any, tmp_path: Path, gone_first: bool
) -> None:
    client = app.test_client()
    asked = client.get("/question?tab=a").json["question"]
    sheet = client.get("/grid?tab=b").json["questions"]
    assert len(sheet) == 3
    (tmp_path / "pictures" / asked["name"]).unlink()
    said = named(asked) | {"tab": "a", "text": "01"}
    if gone_first:
        answer = client.post("/label", json=said)
        assert (answer.status_code, answer.json["error_code"]) == (409, "2001")
        assert "can't be read" in answer.json["message"]
    else:
        assert client.post("/aside", json=said).status_code == 200
    assert client.get("/question?tab=b").json["question"]["name"] != asked["name"]
    accepted = [named(each) | {"text": "01"} for each in sheet] + [said]
    (tmp_path / "pictures" / sheet[0]["name"]).unlink()
    assert client.post("/accept", json={"tab": "b", "pictures": accepted}).status_code == 200
    assert labels() == ["01"] * (len(sheet) - 1)
    assert labelling.progress().left == 0


def test_requests_need_the_token_and_come_from_the_page(
    labelling: Labelling, first: dict[str, Any], labels: Any
) -> None:
    guarded = create_label_app(lambda: labelling, token="secret").test_client()
    assert guarded.get("/").status_code == 200
    for path in ("/question", "/picture/0"):
        assert guarded.get(path).status_code == 401
    assert guarded.post("/label", json=first | {"text": "01"}).status_code == 401
    open_ = create_label_app(lambda: labelling).test_client()
    foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert open_.post("/label", json=first | {"text": "01"}, headers=foreign).status_code == 403
    assert open_.get("/question", headers={"Host": "evil.example"}).status_code == 403
    assert labels() == []


@pytest.fixture
def shown(app: Flask, page: Page) -> Iterator[Page]:  # noqa: F811 (the fixture)
    with running(app) as address:
        page.goto(address)
        expect(page.locator("#cells .here")).to_have_text("0")
        yield page


def enter(page: Page) -> None:  # noqa: F811
    """Accept the label once the picture is shown."""
    expect(page.locator("#picture")).to_have_attribute("aria-busy", "false")
    page.keyboard.press("Enter")


def press_when_shown(page: Page) -> None:  # noqa: F811
    """Accept the page of the grid once its four pictures are shown."""
    for number in range(4):
        expect(page.locator(".tile img").nth(number)).to_have_js_property("naturalWidth", 32)
    page.keyboard.press("Enter")


def cells(page: Page) -> str:  # noqa: F811
    return "".join(page.locator(".cell:visible").all_inner_texts()).strip()


@needs_browser
def test_label_is_corrected_and_accepted_with_keys(shown: Page, labels: Any) -> None:
    assert shown.locator(".cell.doubtful").count() == 2
    shown.keyboard.type("1")
    expect(shown.locator("#cells .here")).to_have_text("l")
    shown.keyboard.press("Shift+Tab")
    shown.keyboard.type("1")
    assert cells(shown) == "011l"
    shown.keyboard.press("End")
    shown.keyboard.press("Backspace")
    shown.keyboard.press("Home")
    shown.keyboard.press("Insert")
    shown.keyboard.type("天")
    assert cells(shown) == "天011"
    enter(shown)
    expect(shown.locator("#count")).to_contain_text("1 of 4")
    assert labels() == ["天011"]
    expect(shown.locator("#known")).to_have_text("so far 01天, length 4")
    for key, spoken in (("Escape", 0.5), ("Control+z", 0.25), ("Control+z", 0.0)):
        shown.keyboard.press(key)
        expect(shown.locator("#bar")).to_have_js_property("value", spoken)
    expect(shown.locator("#about")).to_contain_text("as you wrote it")
    assert cells(shown) == "天011"
    assert labels() == []


@needs_browser
def test_all_pictures_are_labelled_without_a_mouse(shown: Page, labels: Any) -> None:
    for done in range(1, 5):
        enter(shown)
        expect(shown.locator("#count")).to_contain_text(f"{done} of 4")
    expect(shown.locator("#end")).to_be_visible()
    assert labels() == ["0l0l"] * 4
    expect(shown.locator("#count")).to_contain_text("100.0% read right")


@needs_browser
@pytest.mark.parametrize("last", ["one by one", "grid"])
def test_last_label_is_taken_back_when_no_picture_is_left(shown: Page, labels: Any, last: str) -> None:
    if last == "grid":
        shown.locator("#grid").click()
        press_when_shown(shown)
    for done in range(1, 5) if last == "one by one" else ():
        enter(shown)
        expect(shown.locator("#count")).to_contain_text(f"{done} of 4")
    expect(shown.locator("#end")).to_be_visible()
    if last == "grid":
        shown.locator("#one").click()
        shown.locator("#undo-last").click()
    else:
        shown.keyboard.press("Control+z")
    expect(shown.locator("#work")).to_be_visible()
    expect(shown.locator("#end")).to_be_hidden()
    expect(shown.locator("#about")).to_contain_text("as you wrote it")
    assert len(labels()) == 3


@needs_browser
def test_unusual_label_counts_when_it_is_accepted_again(
    shown: Page, labels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_texts, "NARROWED_FROM", 1)
    enter(shown)
    expect(shown.locator("#count")).to_contain_text("1 of 4")
    shown.keyboard.type("x")
    enter(shown)
    expect(shown.locator("#message")).to_contain_text("no label so far has x")
    assert labels() == ["0l0l"]
    enter(shown)
    expect(shown.locator("#count")).to_contain_text("2 of 4")
    assert labels() == ["0l0l", "0lxl"]


@needs_browser
@pytest.mark.parametrize("view", ["one by one", "grid"])
def test_a_key_that_is_held_accepts_one_picture_or_page(
    shown: Page, labels: Any, view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "GRID_PICTURES", 2)
    if view == "grid":
        shown.locator("#grid").click()
        for number in range(2):
            expect(shown.locator(".tile img").nth(number)).to_have_js_property("naturalWidth", 32)
    else:
        expect(shown.locator("#picture")).to_have_attribute("aria-busy", "false")
    done = 2 if view == "grid" else 1
    shown.keyboard.down("Enter")
    expect(shown.locator("#count")).to_contain_text(f"{done} of 4")
    if view == "one by one":
        expect(shown.locator("#picture")).to_have_attribute("aria-busy", "false")
    else:
        expect(shown.locator(".tile img").nth(1)).to_have_js_property("naturalWidth", 32)
        shown.wait_for_timeout(100)
    for _ in range(3):
        shown.keyboard.down("Enter")  # pressed again without being let go: the browser repeats it
    shown.keyboard.up("Enter")
    shown.wait_for_timeout(200)
    assert labels() == ["0l0l"] * done


@needs_browser
def test_no_label_is_accepted_for_a_picture_that_did_not_come(shown: Page, labels: Any) -> None:
    expect(shown.locator("#picture")).to_have_attribute("aria-busy", "false")
    shown.route("**/picture/*", lambda route: route.abort(), times=1)
    shown.keyboard.press("Enter")
    expect(shown.locator("#message")).to_contain_text("Enter tries again, Esc sets it aside")
    expect(shown.locator("#picture")).to_have_js_property("naturalWidth", 0)
    shown.keyboard.press("Enter")  # tries again
    expect(shown.locator("#picture")).to_have_js_property("naturalWidth", 32)
    expect(shown.locator("#message")).to_have_text("")
    shown.wait_for_timeout(200)
    assert labels() == ["0l0l"]
    enter(shown)
    expect(shown.locator("#count")).to_contain_text("2 of 4")


@needs_browser
def test_what_another_tab_said_is_told_before_the_next_picture(shown: Page, app: Flask, labels: Any) -> None:
    expect(shown.locator("#picture")).to_have_attribute("aria-busy", "false")
    name = shown.locator("#about").inner_text().rpartition("· ")[2]
    asked = {"number": 0, "name": name, "text": "01", "tab": "other"}
    assert app.test_client().post("/label", json=asked).status_code == 200
    shown.keyboard.press("Enter")
    expect(shown.locator("#message")).to_contain_text("something was said about it already")
    expect(shown.locator("#about")).not_to_contain_text(name)
    assert labels() == ["01"]


@needs_browser
def test_buttons_do_what_the_keys_do(shown: Page, labels: Any) -> None:
    expect(shown.locator("#picture")).to_have_attribute("aria-busy", "false")
    shown.get_by_role("button", name="Right, next").click()
    expect(shown.locator("#count")).to_contain_text("1 of 4")
    for name, spoken in (("Can't be read", 0.5), ("Back", 0.25), ("Back", 0.0)):
        shown.get_by_role("button", name=name).click()
        expect(shown.locator("#bar")).to_have_js_property("value", spoken)
    assert labels() == []


@pytest.fixture
def two_on_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "GRID_PICTURES", 2)


def click_at(page: Page, name: str, count: int = 1) -> None:  # noqa: F811
    """Click on a button as the first or second click of a double one."""
    page.get_by_role("button", name=name).hover()
    page.mouse.down(click_count=count)
    page.mouse.up(click_count=count)


@needs_browser
@pytest.mark.usefixtures("two_on_a_page")
@pytest.mark.parametrize(
    ("name", "done", "aside"),
    [("Right, next", 1, 0), ("Can't be read", 0, 1), ("The others are right, next page", 2, 0)],
)
def test_double_click_says_nothing_about_the_next_picture(
    shown: Page, labelling: Labelling, name: str, done: int, aside: int
) -> None:
    def wait_for_pictures() -> None:
        for number in range(2) if done == 2 else ():
            expect(shown.locator(".tile img").nth(number)).to_have_js_property("naturalWidth", 32)
        expect(shown.locator("#picture")).to_have_attribute("aria-busy", "false")

    wait_for_pictures() if done < 2 else shown.locator("#grid").click()
    wait_for_pictures()
    click_at(shown, name)
    expect(shown.locator("#bar")).to_have_js_property("value", (done + aside) / 4)
    wait_for_pictures()
    click_at(shown, name, 2)
    shown.wait_for_timeout(200)
    progress = labelling.progress()
    assert (progress.done, progress.aside) == (done, aside)
    click_at(shown, name)
    expect(shown.locator("#bar")).to_have_js_property("value", (done + aside) / 2)


@needs_browser
def test_second_tap_accepts_neither_the_next_picture_nor_an_unusual_label(
    app: Flask,
    browser: Browser,  # noqa: F811
    labels: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known_texts, "NARROWED_FROM", 1)
    with running(app) as address, browser.new_context(has_touch=True) as context:
        page = context.new_page()
        page.add_init_script("window.now = 0; performance.now = () => window.now")  # a clock that stands still
        page.goto(address)
        expect(page.locator("#picture")).to_have_attribute("aria-busy", "false")
        tap_again(page)
        assert labels() == []
        tap_later(page)
        expect(page.locator("#count")).to_contain_text("1 of 4")
        expect(page.locator("#picture")).to_have_attribute("aria-busy", "false")
        tap_again(page)
        assert labels() == ["0l0l"]
        page.keyboard.type("x")
        tap_later(page)
        expect(page.locator("#message")).to_contain_text("no label so far has x")
        tap_again(page)
        assert labels() == ["0l0l"]
        tap_later(page)
        expect(page.locator("#count")).to_contain_text("2 of 4")
        assert labels() == ["0l0l", "0lxl"]


def tap_again(page: Page) -> None:  # noqa: F811
    """Tap at once by the page's clock, but so late that the browser counts no double tap; wait for what it may do."""
    page.wait_for_timeout(500)
    page.locator("#accept").tap()
    page.wait_for_timeout(200)


def tap_later(page: Page) -> None:  # noqa: F811
    """Tap when a person has seen the page."""
    page.evaluate("window.now += 300")
    page.wait_for_timeout(500)
    page.locator("#accept").tap()


def tab_of(page: Page) -> str:  # noqa: F811
    return str(page.evaluate("sessionStorage.getItem('tab')"))


@needs_browser
def test_tab_that_was_duplicated_shows_another_picture(shown: Page, labelling: Labelling) -> None:
    name, about = tab_of(shown), shown.locator("#about").inner_text()
    with shown.context.expect_page() as opened:
        shown.evaluate("() => { open(location.href); }")  # with a copy of what the tab stores, as a duplicate
    twin = opened.value
    expect(twin.locator("#cells .here")).to_have_text("0")
    assert tab_of(shown) == name != tab_of(twin)
    assert about != twin.locator("#about").inner_text()
    assert {tab for tab, _ in labelling.queue._leases.values()} == {name, tab_of(twin)}
    twin.close()
    for _ in range(3):
        shown.reload()
        expect(shown.locator("#about")).to_have_text(about)
        assert tab_of(shown) == name


@needs_browser
def test_tab_is_named_where_the_browser_has_no_locks(app: Flask, page: Page, labels: Any) -> None:  # noqa: F811
    page.add_init_script("Object.defineProperty(navigator, 'locks', { value: undefined })")  # as without HTTPS
    with running(app) as address:
        page.goto(address)
        expect(page.locator("#cells .here")).to_have_text("0")
        name = tab_of(page)
        page.reload()
        enter(page)
        expect(page.locator("#count")).to_contain_text("1 of 4")
        assert (tab_of(page), labels()) == (name, ["0l0l"])


@needs_browser
def test_page_asks_for_the_token(labelling: Labelling, page: Page) -> None:  # noqa: F811
    with running(create_label_app(lambda: labelling, token="secret")) as address:
        page.goto(address)
        page.get_by_label("Token of this server").fill("secret")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#cells .here")).to_have_text("0")
        expect(page.locator("#picture")).to_have_js_property("naturalWidth", 32)


def test_page_of_the_grid_is_accepted_but_for_the_wrong_ones(app: Flask, labels: Any) -> None:
    client = app.test_client()
    sheet = client.get("/grid?tab=a").json["questions"]
    assert [each["text"] for each in sheet] == ["0l0l"] * 4
    pictures = [named(each) | {"text": each["text"], "reading": each["text"]} for each in sheet[:3]]
    after = client.post("/accept", json={"tab": "a", "seconds": 6, "pictures": pictures}).json
    assert [each["number"] for each in after["questions"]] == [sheet[3]["number"]]
    assert (after["progress"]["done"], after["progress"]["right"], labels()) == (3, None, ["0l0l"] * 3)
    again = client.post("/accept", json={"tab": "b", "pictures": pictures})
    assert (again.status_code, labels()) == (200, ["0l0l"] * 3)
    wrong = client.post("/accept", json={"tab": "a", "pictures": [], "wrong": [named(sheet[3])]}).json
    assert wrong["questions"] == []
    for odd in (
        {},
        {"pictures": [], "wrong": [99]},
        {"pictures": [], "wrong": [{"number": 99}]},
        {"pictures": [5]},
        {"pictures": [{"number": 99, "text": "0"}]},
    ):
        assert client.post("/accept", json=odd).status_code == 400
    assert client.post("/accept", json={"pictures": []}).status_code == 200


@needs_browser
def test_grid_is_worked_through_with_keys(shown: Page, labels: Any) -> None:
    shown.get_by_role("button", name="Sorted grid").click()
    tiles = shown.get_by_role("checkbox")
    expect(tiles).to_have_count(4)
    expect(tiles.first.locator("img")).to_have_js_property("naturalWidth", 32)
    expect(tiles.first).to_be_focused()
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("Space")
    expect(tiles.nth(1)).to_be_checked()
    tiles.nth(3).click()
    press_when_shown(shown)
    expect(shown.locator("#count")).to_contain_text("2 of 4")
    assert labels() == ["0l0l"] * 2
    expect(shown.locator("#work")).to_be_visible()  # the wrong ones come one by one
    expect(shown.locator("#cells .here")).to_have_text("0")
    shown.keyboard.type("1")
    enter(shown)
    expect(shown.locator("#count")).to_contain_text("3 of 4")
    assert labels() == ["0l0l", "0l0l", "0l1l"]


class Trained:
    """Rounds that are never run: `told` is how far the last one is."""

    def __init__(self) -> None:
        self.told: RoundState | None = None
        self.started = 0

    def start(self) -> None:
        if self.told and self.told.running:
            raise SampleError("a training on these labels is under way")
        self.started += 1
        self.told = RoundState(True, 0, 0, (), "")

    def state(self) -> RoundState | None:
        return self.told


def test_training_is_started_once_there_are_labels_and_never_twice(labelling: Labelling) -> None:
    rounds: Any = Trained()
    client = create_label_app(lambda: labelling, rounds).test_client()
    assert client.get("/round").json == {"can_train": True, "state": None}
    assert "expected labels to train on; got none" in client.post("/round", json={}).json["message"]
    labelling.label(0, Label("01"))
    assert client.post("/round").status_code == 400, "a form of another site has no JSON"
    assert client.post("/round", json={}).json["state"]["running"]
    refused = client.post("/round", json={})
    assert (refused.status_code, rounds.started) == (422, 1)
    assert "under way" in refused.json["message"]


def test_server_without_rounds_trains_nothing(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/round").json["can_train"] is False
    assert client.post("/round", json={}).status_code == 422


@needs_browser
def test_training_is_started_and_shown_on_the_page(labelling: Labelling, page: Page) -> None:  # noqa: F811
    rounds: Any = Trained()
    labelling.label(0, Label("01"))
    with running(create_label_app(lambda: labelling, rounds)) as address:
        page.goto(address)
        page.get_by_role("button", name="Train on these").click()
        expect(page.locator("#round-state")).to_have_text("The training begins")
        assert page.locator("#train").is_disabled()
        rounds.told = RoundState(True, 120, 400, (0.0, 0.25, 0.5), "…")
        expect(page.locator("#round-state")).to_have_text("step 120 of 400, 50% of some verification pictures")
        expect(page.locator("#line")).to_have_attribute("points", "0,24 50,18.25 100,12.5")
        rounds.told = RoundState(False, 400, 400, (0.0, 0.9), "The new model reads 92.0% of 25 verification pictures")
        expect(page.locator("#round-state")).to_contain_text("The new model reads 92.0%")
        expect(page.locator("#train")).to_be_enabled()


@needs_browser
def test_training_that_failed_says_why(labelling: Labelling, page: Page) -> None:  # noqa: F811
    rounds: Any = Trained()
    rounds.told = RoundState(False, 0, 0, (), "last", "conf/a.json: too small\nAll that it said is in round.log")
    with running(create_label_app(lambda: labelling, rounds)) as address:
        page.goto(address)
        expect(page.locator("#round-state")).to_contain_text("conf/a.json: too small")
        expect(page.locator("#round-state")).to_contain_text("All that it said is in round.log")


@needs_browser
def test_characters_go_into_the_label_wherever_the_focus_is(
    labelling: Labelling,
    page: Page,  # noqa: F811
    labels: Any,
) -> None:
    rounds: Any = Trained()
    labelling.label(0, Label("01"))
    with running(create_label_app(lambda: labelling, rounds)) as address:
        page.goto(address)
        expect(page.locator("#cells .here")).to_have_text("0")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.type("1")
        assert cells(page) == "0l1l"
        page.locator("h1").click()
        page.locator("#train").click()
        expect(page.locator("#train")).to_be_disabled()
        page.keyboard.type("0")
        assert cells(page) == "0l10"
        enter(page)
        expect(page.locator("#count")).to_contain_text("2 of 4")
    assert labels() == ["01", "0l10"]


@needs_browser
def test_text_that_is_composed_is_shown_before_it_is_filed(shown: Page, labels: Any) -> None:
    expect(shown.locator("#picture")).to_have_attribute("aria-busy", "false")
    keyboard = shown.context.new_cdp_session(shown)
    keyboard.send("Input.imeSetComposition", {"text": "ti", "selectionStart": 2, "selectionEnd": 2})
    expect(shown.locator(".cell.composing")).to_have_count(2)
    assert cells(shown) == "0lti"
    shown.get_by_role("button", name="Right, next").click()
    expect(shown.locator("#count")).to_contain_text("1 of 4")
    assert labels() == ["0lti"]
    assert cells(shown) == "0l0l"


@needs_browser
def test_pictures_that_another_tab_shows_are_waited_for(app: Flask, page: Page) -> None:  # noqa: F811
    client = app.test_client()
    assert len(client.get("/grid?tab=other").json["questions"]) == 4
    with running(app) as address:
        page.goto(address)
        expect(page.locator("#end-text")).to_contain_text("The last 4 pictures are open in another tab")
        assert client.post("/leave", json={"tab": "other"}).status_code == 200
        expect(page.locator("#work")).to_be_visible()


@needs_browser
def test_tab_that_is_closed_gives_back_its_pictures(shown: Page, app: Flask, labelling: Labelling) -> None:
    assert len(app.test_client().get("/grid?tab=other").json["questions"]) == 3
    kept = {number: (tab, math.inf) for number, (tab, _) in labelling.queue._leases.items()}
    labelling.queue._leases = kept  # so that none comes to others by waiting
    shown.goto("about:blank")
    assert eventually(lambda: labelling.next_question("third") is not None)


@needs_browser
@pytest.mark.parametrize("way", ["key", "button"])
def test_page_of_the_grid_is_taken_back_and_shown_again(
    shown: Page, labels: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "GRID_PICTURES", 2)
    shown.locator("#grid").click()
    for done in (2, 4):
        for number in range(2):
            expect(shown.locator(".tile img").nth(number)).to_have_js_property("naturalWidth", 32)
        shown.keyboard.press("Enter")
        expect(shown.locator("#count")).to_contain_text(f"{done} of 4")
    expect(shown.locator("#end")).to_be_visible()
    for left in (2, 0):
        if way == "key":
            shown.keyboard.press("Control+z")
        else:
            shown.get_by_role("button", name="Back", exact=True).click()
        expect(shown.locator("#count")).to_contain_text(f"{left} of 4")
        expect(shown.get_by_role("checkbox")).to_have_count(2)
        assert len(labels()) == left


@needs_browser
def test_pictures_that_can_not_be_opened_are_counted_and_named(shown: Page, tmp_path: Path, app: Flask) -> None:
    asked = app.test_client().get("/question?tab=b").json["question"]["name"]
    app.test_client().post("/leave", json={"tab": "b"})
    (tmp_path / "pictures" / asked).unlink()
    app.test_client().post("/label", json={"number": 1, "name": asked, "text": "01"})
    enter(shown)
    expect(shown.locator("#unreadable-count")).to_have_text("1 can't be opened")
    shown.locator("#unreadable-count").click()
    expect(shown.locator("#unreadable-names")).to_contain_text(f"{asked}: can't be read")


@needs_browser
def test_wrong_token_is_said_and_the_form_goes_with_the_right_one(labelling: Labelling, page: Page) -> None:  # noqa: F811
    with running(create_label_app(lambda: labelling, token="secret")) as address:
        page.goto(address)
        expect(page.locator("#message")).to_have_text("The server asks for its token.")
        page.get_by_label("Token of this server").fill("é")
        page.get_by_role("button", name="Use it").click()
        assert page.locator("#token").evaluate("field => field.matches(':invalid')")
        page.get_by_label("Token of this server").fill("wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#message")).to_have_text("The server doesn't take this token.")
        page.get_by_label("Token of this server").fill("secret")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#work")).to_be_visible()
        expect(page.locator("#token-form")).to_be_hidden()


@needs_browser
def test_grid_that_does_not_come_is_waited_for_and_leaves_the_picture(shown: Page) -> None:
    expect(shown.locator("#picture")).to_have_attribute("aria-busy", "false")
    waiting: list[Any] = []
    shown.route("**/grid*", lambda route: waiting.append(route))
    shown.locator("#grid").click()
    expect(shown.locator("#waiting")).to_be_visible()
    while not waiting:  # the page says so before the request comes here
        shown.wait_for_timeout(10)
    waiting[0].abort()
    expect(shown.locator("#message")).to_contain_text("The server can't be reached")
    expect(shown.locator("#work")).to_be_visible()
    expect(shown.locator("#one")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize(("path", "method"), [("/grid", "GET"), ("/question", "GET"), ("/label", "POST")])
def test_what_reads_many_pictures_holds_up_no_other_request(app: Flask, path: str, method: str) -> None:
    assert waiting_routes(app).test(path, method)


@needs_browser
def test_page_of_a_server_without_rounds_has_no_button_for_them(shown: Page) -> None:
    expect(shown.locator("#train")).to_be_hidden()


@needs_browser
def test_second_look_keeps_a_label_or_takes_the_reading(tmp_path: Path, page: Page) -> None:  # noqa: F811
    pictures = [draw("01", tmp_path / "train" / f"0l11_{number}.png", seed=number) for number in (1, 2)]
    files = [
        File(PurePosixPath(path.relative_to(tmp_path)), lambda name: (tmp_path / name).read_bytes())
        for path in pictures
    ]
    journal, renames = Journal(tmp_path / "labels.jsonl"), Renames(tmp_path, tmp_path / "aside")
    reader: Any = Reader()
    labelling = Labelling(files, journal, renames, reader, at_random=False)
    with running(create_label_app(lambda: labelling)) as address:
        page.goto(address)
        expect(page.locator("#about")).to_contain_text("labelled 0l11, read as 0l0l, 25% sure")
        expect(page.locator("#grid")).to_be_hidden()
        client = create_label_app(lambda: labelling).test_client()
        for refused in (client.get("/grid?tab=a"), client.post("/accept", json={"pictures": []})):
            assert (refused.status_code, refused.json["error_code"]) == (422, "2003")
            assert "a second look has no grid" in refused.json["message"]
        assert cells(page) == "0l11"
        expect(page.locator("#cells .here")).to_have_text("1")
        assert page.locator(".cell.doubtful").count() == 2
        enter(page)
        expect(page.locator("#count")).to_contain_text("1 of 2")
        expect(page.locator("#picture")).to_have_attribute("aria-busy", "false")
        page.keyboard.press("ArrowDown")
        expect(page.locator("#end")).to_be_visible()
        expect(page.locator("#end-text")).to_contain_text("have had their second look")
    assert sorted(path.name for path in list_entries(tmp_path / "train")) == ["0l0l_2.png", "0l11_1.png"]


@needs_browser
@pytest.mark.parametrize(("fold", "doubtful"), [(str.lower, 0), (str, 1)])
def test_second_look_marks_no_letter_for_its_case_where_case_is_ignored(
    tmp_path: Path,
    page: Page,  # noqa: F811
    fold: Callable[[str], str],
    doubtful: int,
) -> None:
    path = draw("01", tmp_path / "train" / "0L0l_1.png")
    file = File(PurePosixPath("train", path.name), lambda _: path.read_bytes())
    journal, renames = Journal(tmp_path / "labels.jsonl"), Renames(tmp_path, tmp_path / "aside")
    reader: Any = Reader()
    labelling = Labelling([file], journal, renames, reader, at_random=False, fold=fold)
    with running(create_label_app(lambda: labelling)) as address:
        page.goto(address)
        expect(page.locator("#about")).to_contain_text("labelled 0L0l, read as 0l0l")
        assert cells(page) == "0L0l"
        assert page.locator(".cell.doubtful").count() == doubtful


@needs_browser
def test_first_look_has_no_reading_to_take(shown: Page, labels: Any) -> None:
    expect(shown.locator("#take")).to_be_hidden()
    expect(shown.locator("#picture")).to_have_attribute("aria-busy", "false")
    shown.keyboard.press("ArrowDown")
    expect(shown.locator("#count")).to_contain_text("0 of 4")
    assert labels() == []


@needs_browser
def test_training_is_followed_again_after_an_answer_that_did_not_come(labelling: Labelling, page: Page) -> None:  # noqa: F811
    rounds: Any = Trained()
    rounds.told = RoundState(True, 10, 100, (0.5,), "")
    with running(create_label_app(lambda: labelling, rounds)) as address:
        page.goto(address)
        expect(page.locator("#round-state")).to_contain_text("step 10")
        page.route("**/round", lambda route: route.abort())
        expect(page.locator("#round-state")).to_contain_text("The server can't be reached")
        page.unroute("**/round")
        expect(page.locator("#round-state")).to_contain_text("step 10")
        rounds.told = RoundState(False, 100, 100, (0.5,), "The new model reads 92.0%")
        expect(page.locator("#round-state")).to_contain_text("The new model reads 92.0%")
        expect(page.locator("#train")).to_be_enabled()


@needs_browser
def test_tab_leaves_the_label_behind_its_last_doubtful_character(labelling: Labelling, page: Page) -> None:  # noqa: F811
    rounds: Any = Trained()
    with running(create_label_app(lambda: labelling, rounds)) as address:
        page.goto(address)
        expect(page.locator("#cells .here")).to_have_text("0")
        for key, expected in (("Shift+Tab", "typing"), ("Tab", "typing"), ("Tab", "accept"), ("Tab", "aside")):
            page.keyboard.press(key)
            assert page.evaluate("document.activeElement.id") == expected
        for expected in ("accept", "typing", "typing", "train"):
            page.keyboard.press("Shift+Tab")
            assert page.evaluate("document.activeElement.id") == expected


@needs_browser
def test_picture_that_comes_again_is_set_aside_with_esc(
    labelling: Labelling,
    page: Page,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "AGAIN_AFTER", 1)
    labelling.queue.order.again = [0]
    with running(create_label_app(lambda: labelling)) as address:
        page.goto(address)
        expect(page.locator("#cells .here")).to_have_text("0")
        for count in (1, 2):
            enter(page)
            expect(page.locator("#count")).to_contain_text(f"{count} of 4")
        page.keyboard.press("Escape")
        expect(page.locator("#message")).to_contain_text("before, you wrote 0l0l; once more if it can't be read")
        page.keyboard.press("Escape")
        expect(page.locator("#count")).to_contain_text("1 of 4")
        expect(page.locator("#bar")).to_have_js_property("value", 0.5)
    assert labelling.progress().aside == 1
