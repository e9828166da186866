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
LOOKED_AT = 20  # pictures of a folder, at most
LISTED = 10_000  # files of a folder, at most, among which these are looked for
Stamp = tuple[int, int, int]  # of a file or folder: time of its last change in ns, inode, size in bytes


@dataclass(frozen=True)
class Example:
    """An encoded picture with its label and its type, such as image/png, and the file that it was read from."""

    label: str
    data: bytes
    mimetype: str
    path: Path
    stamp: Stamp | None


class Examples:
    """The examples of a config. They are listed anew when their folder or one of their files has changed.

    So none is shown under an older label, and nothing is read for most requests.
    """

    def __init__(self, config: SampleConfig) -> None:
        self._config = config
        self._listed: tuple[Stamp | None, Sequence[Example]] | None = None

    def current(self) -> Sequence[Example]:
        """The examples of this moment."""
        if not self._config.api_examples:
            return []
        listed = self._listed  # another thread may replace it
        folder = stamp_of(self._config.train_image_dir)  # before the listing, so that a change during it counts
        if listed and listed[0] == folder and all(stamp_of(each.path) == each.stamp for each in listed[1]):
            return listed[1]
        found = examples_of(self._config)
        self._listed = folder, found
        return found


def stamp_of(path: Path) -> Stamp | None:
    """What changes with a file or a folder's list of files; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def examples_of(config: SampleConfig) -> list[Example]:
    """Some training pictures. None where the config has none to show, as beside a model that was shipped.

    Test pictures are no examples: a page that keeps and corrects one would have it trained on. Neither are pictures
    that the API received: who sent them did not show them to all.
    """
    if not config.api_examples:
        return []
    with suppress(OSError):
        listed = itertools.islice(scan_pictures(config.train_image_dir, config.image_suffix), LISTED)
        files = (Path(file.path) for file in listed)
        drawn = itertools.islice((path for path in files if not is_received(path.name)), LOOKED_AT)
        return [*itertools.islice(_readable(drawn), EXAMPLES)]
    return []


def _readable(paths: Iterator[Path]) -> Iterator[Example]:
    for path in paths:
        stamp = stamp_of(path)
        with suppress(SampleError):  # such as a file that is gone by now
            if stamp and stamp[2] <= BODY_LIMIT_BYTES:
                data = read_picture(path)
                kind = str(decode_picture(data, PIXEL_LIMIT).format).lower()
                yield Example(label_of(path.name), data, f"image/{kind}", path, stamp)


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
