"""Serve trained models: POST /b with a picture in the multipart field image_file gives its text as JSON.

With --config more than once there are several models: each at /b/NAME, NAME being that of its config file, and at /b
the one for pictures of the same size, the first where none is. Where the environment variable CAPTCHA_API_TOKEN holds
a token, requests have to bring it: Authorization: Bearer TOKEN.

examples:
  python webserver_recognize_api.py
  python webserver_recognize_api.py --config conf/my_config.json --port 6010
  python webserver_recognize_api.py --config conf/my_config.json --config conf/general_config.json
  curl -F image_file=@captcha.png http://127.0.0.1:6000/b
  gunicorn --bind 127.0.0.1:6000 "webserver_recognize_api:create_app()"
"""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from flask import Flask

from cnnlib.cli import DONE, argument_parser, port_number, script, web_origin, whole_number
from cnnlib.config import SAMPLE_CONFIG, SampleConfig
from cnnlib.core.api_contract import api_token
from cnnlib.web import BODY_LIMIT_BYTES
from cnnlib.web.app import create_recognition_app
from cnnlib.web.model_registry import load_configs, load_models
from cnnlib.web.prometheus import make_metrics_folder, open_figures
from cnnlib.web.server import default_workers, serve


def create_app(*config_paths: Path | str, origins: Sequence[str] = (), body_limit: int = BODY_LIMIT_BYTES) -> Flask:
    """The WSGI application for uwsgi, gunicorn and others; without a config the shipped one's.

    The environment variable CAPTCHA_API_TOKEN holds the token that requests need, if any; pages of the web `origins`
    may call the API; a larger request than `body_limit` bytes is refused.

    Raises ConfigError for a faulty config or token, ModelError when there is no model that fits it, and OSError when
    there can be no folder for figures.
    """
    models = load_models(load_configs(config_paths or (SAMPLE_CONFIG,)))
    make_metrics_folder()
    open_figures()
    return create_recognition_app(models, api_token(), origins, body_limit)


def create_worker_app(configs: Mapping[str, SampleConfig], origins: Sequence[str], body_limit: int) -> Flask:
    """The application of one of several processes: of configs as they were when the first one started, with models
    that may come later.
    """
    models = load_models(configs, patient=True)
    return create_recognition_app(models, api_token(), origins, body_limit)


def server_parser() -> ArgumentParser:
    parser = argument_parser(__doc__, several=True)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port_number, default=6000, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--page-port",
        type=port_number,
        default=6001,
        help="port of the page for browsers, which refuse to go to port 6000 (default: %(default)s)",
    )
    parser.add_argument(
        "--cors",
        type=web_origin,
        action="append",
        default=[],
        metavar="ORIGIN",
        help="web origin whose pages may call the API, such as https://example.org",
    )
    parser.add_argument(
        "--body-limit",
        type=whole_number,
        default=BODY_LIMIT_BYTES,
        metavar="BYTES",
        help="largest request (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=whole_number,
        default=default_workers(),
        help="processes that read, each with its models (default: %(default)s, a core each up to four)",
    )
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = server_parser().parse_args(argv)
    configs = load_configs(arguments.config or (SAMPLE_CONFIG,))
    load_models(configs)  # in vain, but for its faults, which are told before anything listens
    serve(
        partial(create_worker_app, configs, arguments.cors, arguments.body_limit),
        arguments.host,
        arguments.port,
        "/b",
        page_port=arguments.page_port,
        token=api_token() is not None,
        workers=arguments.workers,
        waiting=("/fresh",),
    )
    return DONE


if __name__ == "__main__":
    sys.exit(main())
