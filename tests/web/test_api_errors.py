from flask.testing import FlaskClient


def test_wrong_method_and_wrong_address_are_json_errors(client: FlaskClient) -> None:
    answer = client.get("/b")
    assert (answer.status_code, answer.json["error_code"]) == (405, "405")
    assert "POST" in answer.headers["Allow"]
    assert (client.get("/c").status_code, client.get("/c").json["error_code"]) == (404, "404")
    assert answer.headers["Content-Type"] == "application/json"
