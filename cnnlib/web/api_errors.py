"""Requests that are refused: a status, a code for programs and a sentence for people, always as JSON."""

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

NO_PICTURE = "1001"  # the original's; the others are ours
NOT_A_PICTURE = "1002"
WRONG_SIZE = "1003"
UNKNOWN_MODEL = "1004"
BAD_OPTION = "1005"
MODEL_LOST = "1006"
NO_SOURCE = "1007"


class RefusalError(Exception):
    """The answer to a request that can't be served."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def answer_refusals(app: Flask) -> None:
    """Make `app` answer refusals, and Flask's own 404, 405, 413 and the like, as JSON."""

    @app.errorhandler(RefusalError)
    def refused(error: RefusalError) -> tuple[Response, int]:
        return jsonify({"error_code": error.code, "message": str(error)}), error.status

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        message = error.description or error.name
        if status == 413:
            most, parts = app.config["MAX_CONTENT_LENGTH"], app.config["MAX_FORM_PARTS"]
            message = f"expected a request of at most {most} bytes (--body-limit), a form of at most {parts} parts"
        answer = jsonify({"error_code": str(status), "message": message})
        answer.status_code = status
        told = [one for one in error.get_headers() if one[0] not in ("Content-Type", "Content-Length")]
        answer.headers.extend(told)  # such as Allow, of a 405
        return answer
