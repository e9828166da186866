"""What all scripts share at the command line: `--config`, `--help` with examples, exit statuses."""

import functools
import os
import secrets
import signal
import sys
import threading
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from cnnlib import config_fields
from cnnlib.config import SAMPLE_CONFIG
from cnnlib.core.errors import CaptchaError
from cnnlib.core.paths import display_path

DONE, REQUESTS_FAILED, UNUSABLE = 0, 1, 2
SIGNAL_BASE = 128  # exit status after a signal: this and the signal's number, as shells have it

Main = Callable[..., int]  # main(argv=None)


def argument_parser(doc: str | None, default_config: Path = SAMPLE_CONFIG, *, several: bool = False) -> ArgumentParser:
    """A parser whose help is the script's docstring, with `--config`, a list of paths, maybe empty, if `several`."""
    parser = ArgumentParser(description=doc, formatter_class=RawDescriptionHelpFormatter)
    shown = f"(default: {display_path(default_config)})"
    if several:
        text = f"config file; more than one serve several models {shown}"
        parser.add_argument("--config", type=Path, action="append", default=[], metavar="PATH", help=text)
    else:
        parser.add_argument("--config", type=Path, default=default_config, metavar="PATH", help=f"config file {shown}")
    return parser


def drawing_parser(doc: str | None, default_config: Path) -> ArgumentParser:
    """The parser of a generator of pictures: `--config`, `--count`, None unless told, and `--seed`, new each run."""
    parser = argument_parser(doc, default_config)
    parser.add_argument("--count", type=whole_number, help="pictures to draw (default: count of the config)")
    text = "draw these pictures again, or others (default: a new seed each run)"
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help=text)
    return parser


def whole_number(text: str) -> int:
    """A count on the command line: 1 to `config_fields.MOST`."""
    if not text.isdecimal() or len(text) > len(str(config_fields.MOST)) or not 1 <= int(text) <= config_fields.MOST:
        raise ArgumentTypeError(f"expected a whole number, 1 to {config_fields.MOST}; got {text}")
    return int(text)


def port_number(text: str) -> int:
    """A port on the command line: 0 (any free one) to 65535."""
    if not text.isdecimal() or int(text) > 65535:
        raise ArgumentTypeError(f"expected a port, 0 to 65535; got {text}")
    return int(text)


def web_address(text: str) -> str:
    """An address on the command line, as configs have it."""
    try:
        return config_fields.web_address(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def web_origin(text: str) -> str:
    """A web origin on the command line, as browsers send it: scheme, host and port, unless that is the scheme's own."""
    fault = ArgumentTypeError(f"expected a web origin such as https://example.org; got {text}")
    try:
        parts = urlsplit(config_fields.web_address(text))
    except ValueError:
        raise fault from None
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc or not parts.netloc.isascii():
        raise fault
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    own = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if parts.port in (None, own) else f":{parts.port}")


def script(main: Main) -> Main:
    """Wrap a script's `main(argv=None) -> exit status`: faults become a line on standard error and status 2.

    SIGTERM ends the script as Ctrl-C does, so that it leaves nothing half-done and no process behind.
    """

    @functools.wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> int:
        allow_any_character()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _terminate)
        try:
            status = main(argv)
            print(end="", flush=True)  # here, where a full disk or a reader that has gone is told
            return status
        except CaptchaError as error:
            _tell(str(error))
            return UNUSABLE
        except KeyboardInterrupt:
            return SIGNAL_BASE + signal.SIGINT
        except BrokenPipeError:  # the reader of our output, such as head, has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return SIGNAL_BASE + 13
        except OSError as error:
            places = " to ".join(str(name) for name in (error.filename, error.filename2) if name)
            _tell(f"{places or 'input or output'}: {error.strerror or error}")
            return UNUSABLE

    return wrapped


def allow_any_character() -> None:
    """Let a console or file that lacks a label's characters, or an arrow, get them as escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _tell(fault: str) -> None:
    with suppress(OSError):  # its terminal may have been closed
        print(fault, file=sys.stderr)


def _terminate(number: int, _frame: FrameType | None) -> None:
    sys.exit(SIGNAL_BASE + number)
