"""`POST /label`: a person says what a kept picture shows, and it is filed for the next training."""

import re
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, jsonify, request

from cnnlib.codec.filenames import ANY_SUFFIX, checked_label, file_name, plain_suffix, stem_in
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.paths import display_path
from cnnlib.data.folders import locked, scan_pictures
from cnnlib.data.verify_and_split import move
from cnnlib.web.api_errors import BAD_LABEL, NOT_KEPT, NOT_SAVED, ApiError
from cnnlib.web.request_parsing import json_object
from cnnlib.web.wsgi_bridge import waits_for_others

EXAMPLE = '{"kept": "my_config/1795597061320188800", "label": "2e8j"}'
_SERIAL = re.compile(r"[0-9]{18,25}")  # as `save_picture` gives them


def add_corrections(app: Flask, config_of: Callable[[str], SampleConfig]) -> None:
    """Add `POST /label`. `config_of` gives the config of a model by its name, and raises ApiError for others."""

    @app.post("/label")
    @waits_for_others
    def label() -> Response:
        kept, text = _said()
        name, _, serial = kept.rpartition("/")
        config = config_of(name)
        checked = check_label(text, config)
        return jsonify({"label": checked, "file": file_under(serial, checked, config).name})


def _said() -> tuple[str, str]:
    """Which picture and which label the current request names. Raises ApiError."""
    content = json_object(request, EXAMPLE)
    kept, label = content.get("kept"), content.get("label")
    if not isinstance(kept, str) or not isinstance(label, str):
        raise ApiError(400, "400", f"expected a JSON object such as {EXAMPLE}")
    return kept, label


def check_label(text: str, config: SampleConfig) -> str:
    """The label as a training of this config takes it. Raises ApiError when none does."""
    try:
        label = config.spelled(checked_label(text))
    except SampleError as error:
        raise ApiError(422, BAD_LABEL, str(error)) from error
    faults = [*config.alphabet.faults_in(label, config.max_captcha)] if label else ["expected a text; got none"]
    if faults:
        raise ApiError(422, BAD_LABEL, f"not a label: {'; '.join(faults)}")
    return label


def file_under(serial: str, label: str, config: SampleConfig) -> Path:
    """Move the kept picture of this serial number into `new_image_dir` under a label; returns its path.

    One that is there already gets the label. Raises ApiError when it is not kept or can't be moved.
    """
    if not config.api_save:
        raise ApiError(409, NOT_KEPT, f"the server keeps no pictures: api_save is 0 in {config.name}")
    if not _SERIAL.fullmatch(serial):
        raise ApiError(400, "400", "expected kept to be what the answer of POST /b says")
    try:
        with locked(config.new_image_dir):  # a split may move its pictures at this moment
            picture = _find_kept(serial, config)
            target = config.new_image_dir / file_name(label, serial, plain_suffix(picture.suffix))
            if picture != target:
                move(picture, target.parent, target.name)
            return target
    except FileNotFoundError as error:
        raise _gone() from error
    except SampleError as error:
        raise ApiError(503, NOT_SAVED, str(error)) from error
    except (OSError, UnicodeError) as error:
        raise ApiError(507, NOT_SAVED, f"not saved: {getattr(error, 'strerror', None) or error}") from error


def _find_kept(serial: str, config: SampleConfig) -> Path:
    """The picture of this serial number, filed before or only kept. Raises ApiError when it is in neither place."""
    for folder in (config.new_image_dir, config.api_image_dir):
        if picture := _find(serial, folder):
            return picture
    for folder in (config.train_image_dir, config.test_image_dir):
        if picture := _find(serial, folder):
            message = f"the picture was split off already; rename {display_path(picture)}"
            raise ApiError(409, NOT_KEPT, message)
    raise _gone()


def _find(serial: str, folder: Path) -> Path | None:
    """The picture of this serial number in a folder, if it has one."""
    names = (entry.name for entry in scan_pictures(folder, ANY_SUFFIX))
    return next((folder / name for name in names if stem_in(name).rpartition("_")[2] == serial), None)


def _gone() -> ApiError:
    return ApiError(410, NOT_KEPT, "the picture is not kept any more: the oldest are deleted first (api_save_limit)")
