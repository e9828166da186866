import pytest
from flask.testing import FlaskClient


def test_wrong_method_and_wrong_address_are_json_errors(client: FlaskClient) -> None:
    answer = client.get("/b")
    assert (answer.status_code, answer.json["error_code"]) == (405, "405")
    assert "POST" in answer.headers["Allow"]
    assert (client.get("/c").status_code, client.get("/c").json["error_code"]) == (404, "404")
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [("GET", "/label", "POST /label"), ("POST", "/models", "GET /models"), ("GET", "/b/small", "POST /b/small")],
)
def test_wrong_method_is_told_the_one_of_its_address(
    client: FlaskClient, method: str, path: str, expected: str
) -> None:
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.json["message"]) == (405, f"expected {expected}; got {method} {path}")
