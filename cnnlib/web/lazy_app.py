"""An application that servers such as uWSGI find by name, as `webserver_recognize_api:app`."""

import json
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from cnnlib.core.errors import CaptchaError

log = logging.getLogger(__name__)
UNMADE = {"error_code": "503", "message": "the application can't be made; the server's log says why"}


class LazyApp:
    """The WSGI application that `make_app` gives. The first request makes it, in the process that serves it.

    So a script of the same module can be run, or imported, without a model. When the application can't be made, the
    reason is logged, the request is answered with 503, and the next one tries again.
    """

    def __init__(self, make_app: Callable[[], Flask]) -> None:
        self._make_app, self._lock = make_app, threading.Lock()
        self._app: Flask | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            app = self._made()
        except (CaptchaError, OSError) as error:
            log.error("%s", error)
            start_response("503 Service Unavailable", [("Content-Type", "application/json")])
            return [json.dumps(UNMADE).encode()]
        return app(environ, start_response)

    def __getattr__(self, name: str) -> Any:
        """What Flask's application has, such as `run` and `test_client`."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._made(), name)

    def _made(self) -> Flask:
        with self._lock:
            self._app = self._app or self._make_app()
            return self._app
