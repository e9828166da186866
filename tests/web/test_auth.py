from flask.testing import FlaskClient

from cnnlib.web.model_registry import ServedModel
from tests.web.clients import client_of, form


def test_every_route_but_health_checks_needs_the_token(model: ServedModel, picture_bytes: bytes) -> None:
    client = client_of(model, token="sesame")
    beginnings = ("Bearer ", "Bearer", "Bearer s", "Bearer sesam")
    others = ("Bearer sesame2", "Bearer wrong", "Basic sesame", "sesame", "Bearer \u00e9")
    for header in (None, *beginnings, *others):
        refused = client.post("/b", headers={"Authorization": header} if header else {}, **form(picture_bytes))
        assert (refused.status_code, refused.json["error_code"]) == (401, "401")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert client.post("/b", headers={"Authorization": "Bearer sesame"}, **form(picture_bytes)).status_code == 200
    assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics", "/models")] == [
        200,
        200,
        401,
        401,
    ]


def test_pages_of_other_sites_send_nothing_unless_their_origin_is_named(
    model: ServedModel, picture_bytes: bytes
) -> None:
    client = client_of(model, origins=["https://labels.example"])
    for site, origin, status in (
        ("cross-site", "https://evil.example", 403),
        ("cross-site", "https://labels.example", 200),
        ("same-origin", "http://127.0.0.1:6001", 200),
        (None, "http://evil.example", 403),  # over plain HTTP to another machine, browsers tell the origin alone
        (None, "null", 403),
        (None, "chrome-extension://abc", 200),
        (None, "https://labels.example", 200),
        (None, "http://localhost:6001", 200),
        (None, None, 200),
    ):
        sent = {"Sec-Fetch-Site": site, "Origin": origin}
        headers = {name: value for name, value in sent.items() if value}
        assert client.post("/b", headers=headers, **form(picture_bytes)).status_code == status
    assert client.get("/models", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_only_pages_of_named_origins_may_read_answers(model: ServedModel, client: FlaskClient) -> None:
    page = "https://labels.example"
    assert "Access-Control-Allow-Origin" not in client.get("/models", headers={"Origin": page}).headers
    open_to_page = client_of(model, origins=[page])
    allowed = open_to_page.get("/models", headers={"Origin": page}).headers
    assert (allowed["Access-Control-Allow-Origin"], allowed["Vary"]) == (page, "Origin")
    other = open_to_page.get("/models", headers={"Origin": "https://evil.example"}).headers
    assert "Access-Control-Allow-Origin" not in other
    preflight = open_to_page.options("/b", headers={"Origin": page, "Access-Control-Request-Method": "POST"})
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Methods"]) == (200, "GET, POST")
