"""Serve trained models: POST /b with a picture in the multipart field image_file answers with its text as JSON.

Several configs serve several models: each at /b/NAME, where NAME is the name of its config file. At /b, the model for
pictures of the same size reads, or the first one that resizes. If the environment variable CAPTCHA_API_TOKEN holds a
token, requests need the header Authorization: Bearer TOKEN.

examples:
  python webserver_recognize_api.py
  python webserver_recognize_api.py conf/my_config.json --port 6010
  python webserver_recognize_api.py conf/my_config.json conf/general_config.json
  curl -F image_file=@captcha.png http://127.0.0.1:6000/b
  gunicorn --bind 127.0.0.1:6000 "webserver_recognize_api:create_app()"
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from cnnlib.cli import (
    DONE,
    add_allow_host_argument,
    port_number,
    proxy_network,
    script,
    server_parser,
    web_origin,
    whole_number,
)
from cnnlib.config import SAMPLE_CONFIG
from cnnlib.core.api_contract import api_token
from cnnlib.web import BODY_LIMIT_BYTES
from cnnlib.web.app import create_app, create_worker_app
from cnnlib.web.lazy_app import LazyApp
from cnnlib.web.model_registry import load_configs, load_models
from cnnlib.web.server import default_workers, serve

__all__ = ["app", "create_app", "main"]

app = LazyApp(create_app)  # for servers that load webserver_recognize_api:app, with conf/sample_config.json


def parser() -> ArgumentParser:
    parser = server_parser(__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port_number, default=6000, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--page-port",
        type=port_number,
        default=6001,
        help="port of the page, since browsers refuse port 6000 (default: %(default)s)",
    )
    parser.add_argument(
        "--cors",
        type=web_origin,
        action="append",
        default=[],
        metavar="ORIGIN",
        help="web origin whose pages may call the API, such as https://example.org",
    )
    add_allow_host_argument(parser)
    parser.add_argument(
        "--trust-proxy",
        type=proxy_network,
        action="append",
        default=[],
        metavar="ADDRESS",
        help="address or network of a proxy whose X-Forwarded-For is believed (default: none)",
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
        help="processes, each with its own models (default here: %(default)s)",
    )
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    configs = load_configs(arguments.config or (SAMPLE_CONFIG,))
    load_models(configs)  # only to report what is wrong before anything listens
    hosts = (arguments.host, *arguments.allow_host)
    serve(
        partial(create_worker_app, configs, arguments.cors, arguments.body_limit, hosts),
        arguments.host,
        arguments.port,
        "/b",
        page_port=arguments.page_port,
        token=api_token() is not None,
        workers=arguments.workers,
        proxies=arguments.trust_proxy,
    )
    return DONE


if __name__ == "__main__":
    sys.exit(main())
