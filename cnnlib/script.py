"""What all scripts share at the command line: `--config`, `--help` with examples, exit statuses."""

import functools
import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from pathlib import Path

from cnnlib.config import SAMPLE_CONFIG, display_path
from cnnlib.errors import CaptchaError

DONE, REQUESTS_FAILED, UNUSABLE = 0, 1, 2
SIGNAL_BASE = 128  # exit status after a signal: this and the signal's number, as shells have it

Main = Callable[..., int]  # main(argv=None)


def argument_parser(doc: str | None, default_config: Path = SAMPLE_CONFIG) -> ArgumentParser:
    """A parser whose help is the script's docstring, with `--config`."""
    parser = ArgumentParser(description=doc, formatter_class=RawDescriptionHelpFormatter)
    shown = display_path(default_config)
    parser.add_argument(
        "--config", type=Path, default=default_config, metavar="PATH", help=f"config file (default: {shown})"
    )
    return parser


def script(main: Main) -> Main:
    """Wrap a script's `main(argv=None) -> exit status`: faults become a line on standard error and status 2."""

    @functools.wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> int:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # a console that lacks a label's characters
        try:
            return main(argv)
        except CaptchaError as error:
            print(error, file=sys.stderr)
            return UNUSABLE
        except KeyboardInterrupt:
            return SIGNAL_BASE + 2
        except BrokenPipeError:  # the reader of our output, such as head, has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return SIGNAL_BASE + 13

    return wrapped
