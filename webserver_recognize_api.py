"""Serve trained models: POST /b with a picture in the multipart field image_file gives its text as JSON.

With --config more than once there are several models: each at /b/NAME, NAME being that of its config file, and at /b
the one for pictures of the same size, the first where none is.

examples:
  python webserver_recognize_api.py
  python webserver_recognize_api.py --config conf/my_config.json --port 6010
  python webserver_recognize_api.py --config conf/my_config.json --config conf/general_config.json
  curl -F image_file=@captcha.png http://127.0.0.1:6000/b
  gunicorn --bind 127.0.0.1:6000 "webserver_recognize_api:create_app()"
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from flask import Flask

from cnnlib.config import SAMPLE_CONFIG
from cnnlib.script import DONE, argument_parser, port_number, script
from cnnlib.web.models import load_models
from cnnlib.web.recognition import create_recognition_app
from cnnlib.web.serving import serve


def create_app(*config_paths: Path | str) -> Flask:
    """The WSGI application for uwsgi, gunicorn and others; without a config the shipped one's.

    Raises ConfigError for a faulty config and ModelError when there is no model that fits it.
    """
    return create_recognition_app(load_models(config_paths or (SAMPLE_CONFIG,)))


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__, several=True)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port_number, default=6000, help="port to listen on (default: %(default)s)")
    arguments = parser.parse_args(argv)
    serve(create_app(*arguments.config), arguments.host, arguments.port, "/b")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
