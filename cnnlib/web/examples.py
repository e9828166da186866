"""Pictures that the page offers to try: a few of those that a model was trained on, at `GET /examples/NAME/NUMBER`."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from flask import Flask, Response

from cnnlib.codec.filenames import label_of
from cnnlib.codec.images import decode_picture, read_picture
from cnnlib.config import SampleConfig
from cnnlib.core.api_contract import LABEL_HEADER
from cnnlib.core.errors import SampleError
from cnnlib.data.folders import scan_pictures
from cnnlib.web import BODY_LIMIT_BYTES, PIXEL_LIMIT
from cnnlib.web.api_errors import ApiError
from cnnlib.web.received_pictures import is_received

EXAMPLES = 3  # of a model
LOOKED_AT = 20  # files of a folder, at most


@dataclass(frozen=True)
class Example:
    """An encoded picture with its label and its type, such as image/png."""

    label: str
    data: bytes
    mimetype: str


def examples_of(config: SampleConfig) -> list[Example]:
    """Some training pictures. None where the config has none to show, as beside a model that was shipped.

    Test pictures are no examples: a page that keeps and corrects one would have it trained on. Neither are pictures
    that the API received: who sent them did not show them to all.
    """
    if not config.api_examples:
        return []
    with suppress(OSError):
        files = (Path(file.path) for file in scan_pictures(config.train_image_dir, config.image_suffix))
        drawn = itertools.islice((path for path in files if not is_received(path.name)), LOOKED_AT)
        return [*itertools.islice(_readable(drawn), EXAMPLES)]
    return []


def _readable(paths: Iterator[Path]) -> Iterator[Example]:
    for path in paths:
        with suppress(SampleError):
            if path.stat().st_size <= BODY_LIMIT_BYTES:
                data = read_picture(path)
                kind = str(decode_picture(data, PIXEL_LIMIT).format).lower()
                yield Example(label_of(path.name), data, f"image/{kind}")


def add_examples(app: Flask, examples: Callable[[str], Sequence[Example]]) -> None:
    """Add `GET /examples/NAME/NUMBER`. `examples` gives those of a model by name, and raises ApiError for others."""

    @app.get("/examples/<name>/<int:number>")
    def example(name: str, number: int) -> Response:
        found = examples(name)
        if number >= len(found):
            raise ApiError(404, "404", f"expected one of {len(found)} examples, numbered from 0; got {number}")
        response = Response(found[number].data, mimetype=found[number].mimetype)
        response.headers[LABEL_HEADER] = quote(found[number].label, safe="")
        return response
