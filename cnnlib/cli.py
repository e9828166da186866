"""What all scripts share on the command line: the config argument, help with examples, exit statuses."""

import errno
import functools
import ipaddress
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
from argparse import (
    SUPPRESS,
    Action,
    ArgumentError,
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    RawDescriptionHelpFormatter,
)
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from cnnlib import config_fields
from cnnlib.config import SAMPLE_CONFIG
from cnnlib.core.early_interrupt import raise_on_interrupt
from cnnlib.core.errors import CaptchaError, missing_package
from cnnlib.core.paths import INSTALLED, display_path, project_path
from cnnlib.core.printable import PrintableStream, printable

DONE, REQUESTS_FAILED, UNUSABLE = 0, 1, CaptchaError.status
SIGNAL_BASE = 128  # exit status after a signal: this plus the signal's number, as in shells

FULL = (errno.ENOSPC, errno.EDQUOT)  # a disk, or what a user may have of it

Main = Callable[..., int]  # main(argv=None)


class HelpFormatter(RawDescriptionHelpFormatter):
    """Fills the paragraphs of a script's docstring to the width of the terminal; indented examples stay."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.strip().split("\n\n")
        return "\n\n".join(p if "\n  " in p else textwrap.fill(p, width, initial_indent=indent) for p in paragraphs)


def file_path(text: str) -> Path:
    """A path on the command line. An empty one would mean the working directory, and is likely an unset variable."""
    if not text.strip():
        raise ArgumentTypeError("expected a path; got an empty text; is a variable of the shell not set?")
    return Path(text)


def config_file(text: str) -> Path:
    """A config on the command line. An installed library finds shipped ones too, such as conf/general_config.json."""
    path = file_path(text)
    return path if not INSTALLED or path.exists() else project_path(text)


class StorePathOnce(Action):
    """Stores a path that may be given by place or by option; both at once are an error. `const` is its default."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: Any, _option: str | None = None) -> None:
        if getattr(namespace, self.dest) != self.const:
            parser.error(f"expected {self.metavar} once; got {getattr(namespace, self.dest)} and {values}")
        try:
            setattr(namespace, self.dest, config_file(values) if self.dest == "config" else file_path(values))
        except ArgumentTypeError as error:
            raise ArgumentError(self, str(error)) from error


def argument_parser(doc: str | None, default_config: Path = SAMPLE_CONFIG, *, place: bool = True) -> ArgumentParser:
    """A parser whose help is the script's docstring, with a config: `--config PATH` or, if `place`, just PATH."""
    parser = plain_parser(doc)
    text = f"config file (default: {display_path(default_config)})"
    add_argument(parser, "config", "PATH", text, default_config, place)
    return parser


def server_parser(doc: str | None, default_config: Path = SAMPLE_CONFIG) -> ArgumentParser:
    """A parser as `argument_parser` gives it, but `config` is a list: of one config for each model, maybe empty."""
    parser = plain_parser(doc)
    text = f"config file; more than one serve several models (default: {display_path(default_config)})"
    add_list_argument(parser, "config", "PATH", text, config_file)
    return parser


def add_list_argument(parser: ArgumentParser, name: str, metavar: str, text: str, kind: Callable[[str], Path]) -> None:
    """Add a list of paths, maybe empty, that may be given by place, each by the option, or both."""
    parser.add_argument(f"--{name}", type=kind, action="append", default=[], metavar=metavar, help=text)
    same = f"the same as --{name}"
    parser.add_argument(name, nargs="*", type=kind, action="extend", default=SUPPRESS, metavar=metavar, help=same)


def plain_parser(doc: str | None) -> ArgumentParser:
    """A parser whose help is the script's docstring."""
    parser = ArgumentParser(description=doc, formatter_class=HelpFormatter)
    parser.register("type", Path, file_path)  # for all arguments of `type=Path`
    vars(parser)["color"] = False  # Python 3.14 would write control characters, which `printable_output` escapes
    return parser


def add_argument(
    parser: ArgumentParser, name: str, metavar: str, text: str, default: Path | None = None, place: bool = True
) -> None:
    """Add a path, `--NAME METAVAR` or, if `place`, just METAVAR."""
    options: dict[str, Any] = {"metavar": metavar, "action": StorePathOnce, "const": default, "help": text}
    parser.add_argument(f"--{name}", default=default, **options)
    if place:
        parser.add_argument(name, nargs="?", **{**options, "default": SUPPRESS, "help": f"the same as --{name}"})


def drawing_parser(doc: str | None, default_config: Path) -> ArgumentParser:
    """The parser of a generator of pictures: config, `--count` (None if not given) and `--seed` (new for each run)."""
    parser = argument_parser(doc, default_config)
    parser.add_argument("--count", type=whole_number, help="pictures to draw (default: count of the config)")
    text = "seed of the pictures; the same seed draws the same ones (default: new)"
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help=text)
    return parser


def add_fonts_argument(parser: ArgumentParser) -> None:
    """Add `--fonts`, a list of files, empty for the fonts of the captcha library."""
    text = "fonts; each character takes one at random (default: the captcha library's)"
    parser.add_argument("--fonts", nargs="+", default=[], metavar="FILE", help=text)


def whole_number(text: str) -> int:
    """A count on the command line: 1 to `config_fields.COUNT_LIMIT`."""
    most = config_fields.COUNT_LIMIT
    if not text.isdecimal() or len(text) > len(str(most)) or not 1 <= int(text) <= most:
        raise ArgumentTypeError(f"expected a whole number, 1 to {most}; got {text}")
    return int(text)


def port_number(text: str) -> int:
    """A port on the command line: 0 (any free one) to 65535."""
    if not text.isdecimal() or int(text) > 65535:
        raise ArgumentTypeError(f"expected a port, 0 to 65535; got {text}")
    return int(text)


def web_address(text: str) -> str:
    """An address on the command line, checked as in configs."""
    try:
        return config_fields.web_address(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def web_origin(text: str) -> str:
    """A web origin as browsers send it: scheme, host, and the port unless it is the scheme's own."""
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


def host_name(text: str) -> str:
    """The name or address of a machine, without scheme and port, as browsers send it in the header Host."""
    fault = ArgumentTypeError(f"expected the name of a machine such as captcha.example.org; got {text}")
    try:
        if ":" in text:
            return str(ipaddress.IPv6Address(text.strip("[]")))
        name = text.encode("idna").decode().lower()
    except ValueError:
        raise fault from None
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?", name):
        raise fault
    return name


def proxy_network(text: str) -> str:
    """The address of a proxy, or a network of them such as 10.0.0.0/8."""
    try:
        return str(ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text))
    except ValueError as error:
        raise ArgumentTypeError(f"expected an IP address, or a network such as 10.0.0.0/8; got {text}") from error


def add_allow_host_argument(parser: ArgumentParser) -> None:
    """Add `--allow-host`, a list of names."""
    parser.add_argument(
        "--allow-host",
        type=host_name,
        action="append",
        default=[],
        metavar="NAME",
        help="name that clients call this machine by, besides localhost, such as that of a proxy's site",
    )


def script(main: Main) -> Main:
    """Wrap a script's `main(argv=None) -> exit status`: an error becomes one line on standard error and status 2.

    SIGTERM ends the script as Ctrl-C does, so that it leaves nothing half-done and no process behind.
    """

    @functools.wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> int:
        allow_any_character()
        if threading.current_thread() is threading.main_thread():
            raise_on_interrupt()
            signal.signal(signal.SIGTERM, _terminate)
        with printable_output():
            return _status(main, argv)

    return wrapped


def _status(main: Main, argv: Sequence[str] | None) -> int:
    """The exit status of a script's `main`, with an error as one line on standard error."""
    try:
        return _run(main, argv)
    except CaptchaError as error:
        _print_error(str(error))
        return error.status
    except ModuleNotFoundError as error:
        _print_error(missing_package(error))
        return UNUSABLE
    except KeyboardInterrupt:
        return SIGNAL_BASE + signal.SIGINT
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SIGNAL_BASE + 13
    except OSError as error:
        places = " to ".join(str(name) for name in (error.filename, error.filename2) if name)
        remedy = "; free some space there, and run it again" if error.errno in FULL else ""
        _print_error(printable(f"{places or 'input or output'}: {error.strerror or error}{remedy}"))
        return UNUSABLE


def _run(main: Main, argv: Sequence[str] | None) -> int:
    """The status of `main`. Raises OSError when its output can't be written, which may show only at the end."""
    try:
        status = main(argv)
    except SystemExit as end:  # of argparse, which has printed help or an error
        print(end="", flush=True)
        raise end from None
    print(end="", flush=True)
    return status


def allow_any_character() -> None:
    """Let a console or file that lacks a character get it as an escape, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def printable_output() -> Iterator[None]:
    """Print no control character in the block, whoever wrote it: the terminal would obey. Line ends and tabs stay."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (stream and PrintableStream(stream) for stream in streams)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams


def command_of(name: str, script: str) -> str:
    """What starts a script of the suite: its command of `cnnlib` where that is installed."""
    return f"cnnlib {name}" if INSTALLED else f"python {script}"


def shell_word(path: Path) -> str:
    """A path as a word of a command that is printed, and can be copied into a shell.

    Control characters and bytes that are not UTF-8 become escapes of bash and zsh, `$'...'`.
    """
    text = str(path)
    if os.name == "nt":
        return printable(subprocess.list2cmdline([text]))
    if printable(text) == text:
        return shlex.quote(text)
    escapes = (chr(b) if 32 <= b < 127 and chr(b) not in "'\\" else f"\\x{b:02x}" for b in os.fsencode(text))
    return f"$'{''.join(escapes)}'"


def _print_error(message: str) -> None:
    with suppress(OSError):  # its terminal may be closed
        print(message, file=sys.stderr)


def _terminate(number: int, _frame: FrameType | None) -> None:
    sys.exit(SIGNAL_BASE + number)
