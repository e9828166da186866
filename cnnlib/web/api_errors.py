"""Error answers: an HTTP status, and a JSON body with a code for programs and a message for people."""

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

NO_PICTURE = "1001"  # the original project's code; the others are new here
NOT_A_PICTURE = "1002"
WRONG_SIZE = "1003"
UNKNOWN_MODEL = "1004"
BAD_OPTION = "1005"
MODEL_UNAVAILABLE = "1006"
NO_SOURCE = "1007"
BAD_LABEL = "1008"
NOT_KEPT = "1009"
NOT_SAVED = "1010"

READING_PATHS = "READING_PATHS"  # key of an application's config: where pictures go, for those who ask elsewhere
READING_DOORS = ("/", "/b")  # paths at which clients who mean to send a picture try other methods
PATH_LIMIT = 200  # characters of a path in a message
RETRY_AFTER_S = 1  # for a client whose request is refused for the moment


class ApiError(Exception):
    """An error that becomes the answer to a request."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def answer_errors_in_json(app: Flask) -> None:
    """Make `app` answer each ApiError, and Flask's own 404, 405, 413 and others, as JSON."""
    app.debug = False  # FLASK_DEBUG would answer with tracebacks

    @app.errorhandler(ApiError)
    def answer_api_error(error: ApiError) -> tuple[Response, int]:
        g.fault = str(error)
        response = jsonify({"error_code": error.code, "message": str(error)})
        if error.status == 503:
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response, error.status

    @app.errorhandler(HTTPException)
    def answer_http_error(error: HTTPException) -> Response:
        status = error.code or 500
        message = error.description or error.name
        if status == 413:
            message = f"expected at most {app.config['MAX_CONTENT_LENGTH']} bytes (--body-limit)"
        if status in (404, 405) and app.config.get(READING_PATHS):
            message = f"expected {_right_request(app, error)}; got {request.method} {request.path[:PATH_LIMIT]}"
        g.fault = message
        response = jsonify({"error_code": str(status), "message": message})
        response.status_code = status
        headers = [header for header in error.get_headers() if header[0] not in ("Content-Type", "Content-Length")]
        response.headers.extend(headers)  # such as Allow of a 405
        return response


def _right_request(app: Flask, error: HTTPException) -> str:
    """The method of an address that lacks the one of the request, or where pictures go."""
    if not isinstance(error, MethodNotAllowed) or request.path in READING_DOORS:
        return str(app.config[READING_PATHS])
    methods = [method for method in error.valid_methods or () if method in ("GET", "POST")]
    return f"{' or '.join(methods)} {request.path[:PATH_LIMIT]}"
