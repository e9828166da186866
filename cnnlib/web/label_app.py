"""The page for labelling pictures by hand, and what it asks of the server."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import Any, TypeGuard

from flask import Flask, Response, jsonify, render_template, request

from cnnlib.codec.characters import escape_odd
from cnnlib.codec.images import suffix_of
from cnnlib.core.errors import SampleError
from cnnlib.labelling.known_texts import UnusualError
from cnnlib.labelling.queue import Question
from cnnlib.labelling.round_state import Rounds
from cnnlib.labelling.session import Label, Labelling, TakenError
from cnnlib.web import BODY_LIMIT_BYTES
from cnnlib.web.api_errors import ApiError, answer_errors_in_json
from cnnlib.web.auth import protect
from cnnlib.web.hosts import answer_known_names_only
from cnnlib.web.page import POLICY
from cnnlib.web.wsgi_bridge import waits_for_others

TAKEN, UNUSUAL, REFUSED, NOT_SAVED, OTHER = "2001", "2002", "2003", "2004", "2005"  # error codes
DOUBTFUL = 0.9  # confidence of a character, below which it is marked
TAB_LIMIT, TEXT_LIMIT = 64, 1000  # characters of a tab's name, and of a label or reading


def create_label_app(
    make_labelling: Callable[[], Labelling],
    rounds: Rounds | None = None,
    token: str | None = None,
    hosts: Sequence[str] = (),
) -> Flask:
    """A Flask application with the page, over the labelling that `make_labelling` gives; `rounds` train on its labels.

    With a `token`, every request needs it. Without one, requests over a loopback address have to name this machine, or
    one of `hosts`, as Host.
    """
    app, labelling = Flask(__name__), make_labelling()
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    answer_errors_in_json(app)
    if not token:
        answer_known_names_only(app, hosts)
    protect(app, token, ())
    _add_page(app, labelling)
    _add_questions(app, labelling)
    _add_answers(app, labelling)
    _add_rounds(app, labelling, rounds)
    return app


def _add_page(app: Flask, labelling: Labelling) -> None:
    @app.get("/")
    def page() -> Response:
        response = Response(render_template("label.html", second_look=labelling.is_second_look), mimetype="text/html")
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def _add_questions(app: Flask, labelling: Labelling) -> None:
    """What the page shows: a question, a page of the grid, a picture, and which ones can't be opened."""

    @app.get("/question")
    @waits_for_others
    def question() -> Response:
        return _state(labelling, labelling.next_question(_asking_tab()))

    @app.get("/grid")
    @waits_for_others
    def grid() -> Response:
        return _grid(labelling, _asking_tab())

    @app.get("/unreadable")
    @waits_for_others
    def unreadable() -> Response:
        return jsonify([{"name": escape_odd(name), "reason": reason} for name, reason in labelling.unreadable()])

    @app.get("/picture/<int:number>")
    def picture(number: int) -> Response:
        if number >= len(labelling.files):
            raise ApiError(404, "404", "there is no picture of this number")
        try:
            data = labelling.data(number)
            return Response(data, mimetype=f"image/{suffix_of(data).replace('jpg', 'jpeg')}")
        except SampleError as error:
            raise ApiError(404, "404", str(error)) from error


def _add_answers(app: Flask, labelling: Labelling) -> None:
    """What is said on the page. Each is answered with what it shows next."""

    @app.post("/label")
    @waits_for_others
    def label() -> Response:
        said = _said(labelling)
        with _refused():
            labelling.label(said["number"], _label(said), sure=said.get("sure") is True)
        return _state(labelling, labelling.next_question(said["tab"]))

    @app.post("/aside")
    @waits_for_others
    def aside() -> Response:
        said = _said(labelling)
        with _refused():
            sure = said.get("sure") is True
            labelling.set_aside(said["number"], _number(said, "seconds"), said["tab"], sure=sure)
        return _state(labelling, labelling.next_question(said["tab"]))

    @app.post("/accept")
    @waits_for_others
    def accept() -> Response:
        return _grid(labelling, _accept(labelling, _object()))

    @app.post("/undo")
    @waits_for_others
    def undo() -> Response:
        tab = _tab(_object())
        with _refused():
            asked_again = labelling.undo(tab)
        return _state(labelling, asked_again or labelling.next_question(tab))

    @app.post("/undo-page")
    @waits_for_others
    def undo_page() -> Response:
        with _refused():
            questions, message = labelling.undo_page(_tab(_object()))
        return _sheet(labelling, questions, message)

    @app.post("/leave")
    @waits_for_others
    def leave() -> Response:
        labelling.leave(_tab(_object()))
        return jsonify({})


def _add_rounds(app: Flask, labelling: Labelling, rounds: Rounds | None) -> None:
    """The training on the labels so far: how far it is, and its start."""

    @app.get("/round")
    @waits_for_others
    def round_state() -> Response:
        return _round(rounds)

    @app.post("/round")
    @waits_for_others
    def start_round() -> Response:
        _object()  # so that no form of another site can send it
        with _refused():
            if rounds is None:
                raise SampleError("this server trains nothing")
            if not labelling.progress().done:
                raise SampleError("expected labels to train on; got none")
            rounds.start()
        return _round(rounds)


def _asking_tab() -> str:
    return request.args.get("tab", "")[:TAB_LIMIT]


def _tab(said: dict[str, Any]) -> str:
    return str(said.get("tab", ""))[:TAB_LIMIT]


def _object() -> dict[str, Any]:
    content = request.get_json(silent=True)
    if not isinstance(content, dict):
        raise ApiError(400, "400", "expected a JSON object")
    return content


def _said(labelling: Labelling, said: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a tab said about a picture. Raises ApiError when it names none, or one that has another number by now."""
    said, count = _object() if said is None else said, len(labelling.files)
    number = said.get("number")
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < count:
        raise ApiError(400, "400", f"expected number to be a whole number below {count}")
    if said.get("name") != labelling.name(number):
        raise ApiError(409, OTHER, "the pictures have changed since this one was shown; nothing was saved")
    return {**said, "tab": _tab(said)}


def _accept(labelling: Labelling, page: dict[str, Any]) -> str:
    """Label the `pictures` of a page of the grid, and doubt the `wrong` ones; returns the tab. Raises ApiError."""
    tab, pictures, wrong = _tab(page), page.get("pictures"), page.get("wrong", [])
    with _refused():
        labelling.check_grid()
    if not (_are_objects(pictures) and _are_objects(wrong)):
        raise ApiError(400, "400", "expected pictures and wrong to be lists of objects")
    accepted = [_said(labelling, each) for each in pictures]
    labelling.doubt([_said(labelling, each)["number"] for each in wrong])
    seconds, name = _number(page, "seconds") / max(1, len(pictures)), secrets.token_hex(8)
    for each in accepted:
        label = replace(_label({**each, "tab": tab, "seconds": seconds}), at_random=False, page=name)
        with _refused(), suppress(TakenError):  # by another tab meanwhile, or gone
            labelling.label(each["number"], label, sure=True)
    return tab


def _are_objects(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _label(said: dict[str, Any]) -> Label:
    text, reading, model = (str(said.get(key, ""))[:TEXT_LIMIT] for key in ("text", "reading", "model"))
    confidence, seconds = (_number(said, key) for key in ("confidence", "seconds"))
    return Label(text, reading, confidence, seconds, said["tab"], model=model)


def _number(said: dict[str, Any], key: str) -> float:
    value = said.get(key, 0)
    return float(value) if isinstance(value, int | float) and abs(value) < 1e9 else 0.0


@contextmanager
def _refused() -> Iterator[None]:
    """Answer with an ApiError what can't be done or saved."""
    try:
        yield
    except TakenError as error:
        raise ApiError(409, TAKEN, str(error)) from error
    except UnusualError as error:
        raise ApiError(409, UNUSUAL, str(error)) from error
    except SampleError as error:
        raise ApiError(422, REFUSED, str(error)) from error
    except (OSError, UnicodeError) as error:
        raise ApiError(507, NOT_SAVED, f"not saved: {getattr(error, 'strerror', None) or error}") from error


def _state(labelling: Labelling, question: Question | None) -> Response:
    """How far it is, and the next question."""
    shown = question and _shown(labelling, question)
    return jsonify({"question": shown, "progress": asdict(labelling.progress())})


def _round(rounds: Rounds | None) -> Response:
    """Whether a training can be started, and how far the one under way is, or the last one."""
    state = rounds and rounds.state()
    return jsonify({"can_train": rounds is not None, "state": asdict(state) if state else None})


def _grid(labelling: Labelling, tab: str) -> Response:
    """How far it is, and the next page of the grid."""
    with _refused():
        return _sheet(labelling, labelling.grid(tab))


def _sheet(labelling: Labelling, questions: Sequence[Question], message: str = "") -> Response:
    """How far it is, a page of the grid, and what to say about it."""
    shown = [_shown(labelling, question) for question in questions]
    return jsonify({"questions": shown, "progress": asdict(labelling.progress()), "message": message})


def _shown(labelling: Labelling, question: Question) -> dict[str, Any]:
    reading = question.reading
    return {
        "number": question.number,
        "name": question.name,
        "text": reading.text,
        "said": question.said,
        "label": question.label,
        "confidence": round(reading.confidence, 6),
        "model": question.model,
        "doubtful": _doubtful(labelling, question),
        "least": min(range(len(reading.text)), key=reading.character_confidences.__getitem__, default=0),
    }


def _doubtful(labelling: Labelling, question: Question) -> list[bool]:
    """Which characters are marked: those of a known label that the reading has not, or those not read surely."""
    known = question.label if question.said is None else question.said
    if known is None:
        return [share < DOUBTFUL for share in question.reading.character_confidences]
    label, reading = labelling.fold(known), labelling.fold(question.reading.text)
    return [character != reading[place : place + 1] for place, character in enumerate(label)]
