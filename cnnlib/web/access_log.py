"""The log line of a request: JSON for programs, a short line for people at a terminal."""

import json
import logging
import time
from collections.abc import Sequence
from typing import Any

from cnnlib.core.printable import excerpt
from cnnlib.web import ACCESS_LOG

READINGS_LIMIT = 3  # texts in a short line
TEXT_LIMIT = 100  # characters of a path or of a message in a short line
URL_LIMIT = 200  # characters of a path, and of what a proxy says about a client, in JSON
Reading = tuple[str, float]  # a text and its confidence, 0 to 1

_log = logging.getLogger(ACCESS_LOG)


def log_request(
    client: str | None, status: int, readings: Sequence[Reading] = (), fault: str = "", **fields: Any
) -> None:
    """Write the log line of a request. `readings` and `fault`, an error's message, are for a terminal only."""
    content = {"time": round(time.time(), 3), "client": client and client[:URL_LIMIT], "status": status, **fields}
    if "path" in content:
        content["path"] = content["path"][:URL_LIMIT]
    _log.info("%s", json.dumps(content), extra={"request": content, "readings": readings, "fault": fault})


class TerminalFormatter(logging.Formatter):
    """A line such as "13:25:51 POST /b 0023 99.9% 3 ms", or with status and message where a request is refused."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = record.request  # type: ignore[attr-defined]
        readings: Sequence[Reading] = record.readings  # type: ignore[attr-defined]
        words = [time.strftime("%H:%M:%S", time.localtime(record.created))]
        words += [excerpt(fields[key], TEXT_LIMIT) for key in ("method", "path") if key in fields]
        words += [_texts(readings)] if readings else [str(fields["status"]), excerpt(record.fault, TEXT_LIMIT)]  # type: ignore[attr-defined]
        words += [f"{fields['ms']:.0f} ms"] if "ms" in fields else []
        return " ".join(filter(None, words))


def _texts(readings: Sequence[Reading]) -> str:
    texts = ", ".join(f"{excerpt(text, TEXT_LIMIT)} {confidence:.1%}" for text, confidence in readings[:READINGS_LIMIT])
    more = len(readings) - READINGS_LIMIT
    return f"{texts} and {more} more" if more > 0 else texts
