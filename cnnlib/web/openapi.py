"""The API's description in OpenAPI 3.1, at /openapi.json."""

from typing import Any

from flask import Flask, Response, jsonify

from cnnlib.web.request_parsing import PICTURES_LIMIT

Schema = dict[str, Any]

SHARE = {"type": "number", "minimum": 0, "maximum": 1}
READING: Schema = {
    "type": "object",
    "required": ["time", "value", "speed_time(ms)", "confidence", "character_confidences"],
    "properties": {
        "time": {"type": "string", "description": "when it was read, seconds since 1970"},
        "value": {
            "type": ["string", "null"],
            "description": "the text; null where it is less sure than min_confidence",
        },
        "candidate": {"type": "string", "description": "the text that was not sure enough to be the value"},
        "speed_time(ms)": {"type": "number", "description": "milliseconds that decoding and reading took"},
        "confidence": {**SHARE, "description": "of the whole text"},
        "character_confidences": {"type": "array", "items": SHARE},
    },
    "additionalProperties": False,
}
ERROR: Schema = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {
        "error_code": {"type": "string", "description": "1001 to 1007, or the HTTP status"},
        "message": {"type": "string"},
    },
    "additionalProperties": False,
}
MODEL: Schema = {
    "type": "object",
    "required": ["name", "path", "ready"],
    "properties": {
        "name": {"type": "string"},
        "path": {"type": "string"},
        "ready": {"type": "boolean", "description": "whether it is loaded; what follows is known then"},
        "characters": {"type": "string", "description": "those that it reads"},
        "width": {"type": "integer", "description": "pixels"},
        "height": {"type": "integer", "description": "pixels"},
        "resize": {"type": "boolean", "description": "whether pictures of another size are resized, not refused"},
        "min_length": {"type": "integer"},
        "max_length": {"type": "integer"},
        "network": {"type": "string"},
        "picture_accuracy": {**SHARE, "description": "on verification pictures"},
        "verification_pictures": {"type": "integer"},
        "step": {"type": "integer"},
        "saved_at": {"type": "string"},
    },
    "additionalProperties": False,
}
TEXT_AND_OPTIONS: Schema = {
    "model": {"type": "string", "description": "a name that GET /models tells"},
    "min_confidence": {**SHARE, "description": "a less sure text is the candidate, and the value is null"},
}
REFUSALS = {
    "400": "no picture (1001), not a picture (1002), a wrong option (1005), or no JSON or HTTP (400)",
    "401": "the server's token is missing",
    "403": "a page of another site, whose origin is not named, sent it",
    "404": "no model of this name (1004)",
    "408": "the request took more than 30 seconds to arrive",
    "413": "the request is too large",
    "415": "neither a form, nor a picture, nor JSON",
    "422": "the picture has a size that the model doesn't read (1003)",
    "431": "the request's head is larger than 64 KiB",
    "502": "the captcha source can't be reached (1007)",
    "503": "the model can't be loaded (1006)",
}
READING_REFUSALS = [status for status in REFUSALS if status != "502"]


def add_openapi(app: Flask) -> None:
    """Add `GET /openapi.json`."""
    description = api_description()

    @app.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(description)


def api_description() -> Schema:
    """The OpenAPI document."""
    answer = _json({"anyOf": [_ref("Reading"), {"type": "array", "items": _ref("Reading")}]})
    read = {
        "summary": "Read pictures",
        "description": "One picture gives an object, several a list in their order.",
        "requestBody": {"required": True, "content": _bodies()},
        "responses": {"200": {"description": "what was read", **answer}, **_refusals(*READING_REFUSALS)},
    }
    options = [{"name": name, "in": "query", "schema": schema} for name, schema in TEXT_AND_OPTIONS.items()]
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    models = _json({"type": "array", "items": _ref("Model")})
    state = {"description": "which models are loaded", **_json({"type": "object"})}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Captcha recognition", "version": "1"},
        "security": [{}, {"token": []}],
        "paths": {
            "/b": {"post": {**read, "operationId": "read", "parameters": options}},
            "/b/{name}": {"post": {**read, "operationId": "readWith", "parameters": [name, *options]}},
            "/models": {"get": _get("The models", models, "401")},
            "/fresh": {"get": _get("A picture from the captcha source", {"content": {"image/*": {}}}, "401", "502")},
            "/healthz": {"get": _get("Whether the server lives", _json({"type": "object"}))},
            "/readyz": {"get": {"summary": "Whether every model is loaded", "responses": {"200": state, "503": state}}},
            "/metrics": {"get": _get("Prometheus metrics", {"content": {"text/plain": {}}}, "401")},
            "/openapi.json": {"get": _get("This description", _json({"type": "object"}), "401")},
        },
        "components": {
            "schemas": {"Reading": READING, "Error": ERROR, "Model": MODEL},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _bodies() -> Schema:
    """The three forms of a request."""
    file = {"type": "string", "format": "binary"}
    files = {"anyOf": [file, {"type": "array", "items": file, "minItems": 1, "maxItems": PICTURES_LIMIT}]}
    form = {"type": "object", "required": ["image_file"], "properties": {"image_file": files, **TEXT_AND_OPTIONS}}
    text = {"type": "string", "description": "base64, or a data URL"}
    images = {"anyOf": [text, {"type": "array", "items": text, "minItems": 1, "maxItems": PICTURES_LIMIT}]}
    content = {"type": "object", "required": ["image"], "properties": {"image": images, **TEXT_AND_OPTIONS}}
    return {
        "multipart/form-data": {"schema": form},
        "application/json": {"schema": content},
        **{f"image/{kind}": {"schema": file} for kind in ("png", "jpeg", "gif", "bmp", "webp")},
    }


def _get(summary: str, answer: Schema, *refusals: str) -> Schema:
    return {"summary": summary, "responses": {"200": {"description": summary, **answer}, **_refusals(*refusals)}}


def _refusals(*statuses: str) -> Schema:
    return {status: {"description": REFUSALS[status], **_json(_ref("Error"))} for status in statuses}


def _json(schema: Schema) -> Schema:
    return {"content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
