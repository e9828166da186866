"""Error answers: an HTTP status, and a JSON body with a code for programs and a message for people."""

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

NO_PICTURE = "1001"  # the original project's code; the others are new here
NOT_A_PICTURE = "1002"
WRONG_SIZE = "1003"
UNKNOWN_MODEL = "1004"
BAD_OPTION = "1005"
MODEL_UNAVAILABLE = "1006"
NO_SOURCE = "1007"


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
        return jsonify({"error_code": error.code, "message": str(error)}), error.status

    @app.errorhandler(HTTPException)
    def answer_http_error(error: HTTPException) -> Response:
        status = error.code or 500
        message = error.description or error.name
        if status == 413:
            body_limit, part_limit = app.config["MAX_CONTENT_LENGTH"], app.config["MAX_FORM_PARTS"]
            message = f"expected at most {body_limit} bytes (--body-limit), and at most {part_limit} parts in a form"
        response = jsonify({"error_code": str(status), "message": message})
        response.status_code = status
        headers = [header for header in error.get_headers() if header[0] not in ("Content-Type", "Content-Length")]
        response.headers.extend(headers)  # such as Allow of a 405
        return response
