"""Serve fresh captchas in the configured look: GET /captcha/ answers with a PNG.

examples:
  python webserver_captcha_image.py
  python webserver_captcha_image.py --with-label
  curl -o captcha.png http://127.0.0.1:6100/captcha/
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from flask import Flask

from cnnlib.cli import DONE, add_allow_host_argument, add_fonts_argument, argument_parser, port_number, script
from cnnlib.config import CAPTCHA_CONFIG, load_captcha_config
from cnnlib.core.api_contract import LABEL_HEADER
from cnnlib.synthesis.captcha import check_fonts
from cnnlib.web.captcha_app import create_captcha_app
from cnnlib.web.lazy_app import LazyApp
from cnnlib.web.server import serve


def create_app() -> Flask:
    """The WSGI application with conf/captcha_config.json, for gunicorn, uWSGI and others.

    Raises ConfigError for a faulty config, or a font that lacks a character.
    """
    config = load_captcha_config()
    check_fonts(config.characters, ())
    return create_captcha_app(config)


app = LazyApp(create_app)  # for servers that load webserver_captcha_image:app


def parser() -> ArgumentParser:
    parser = argument_parser(__doc__, CAPTCHA_CONFIG)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port_number, default=6100, help="port to listen on (default: %(default)s)")
    parser.add_argument("--with-label", action="store_true", help=f"send each label in the header {LABEL_HEADER}")
    add_allow_host_argument(parser)
    add_fonts_argument(parser)
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    config = load_captcha_config(arguments.config)
    check_fonts(config.characters, arguments.fonts)
    hosts = (arguments.host, *arguments.allow_host)
    make_app = partial(create_captcha_app, config, arguments.with_label, tuple(arguments.fonts), hosts)
    serve(make_app, arguments.host, arguments.port, "/captcha/")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
