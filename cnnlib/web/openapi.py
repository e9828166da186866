"""The OpenAPI 3.1 description of the API, at /openapi.json."""

from typing import Any

from flask import Flask, Response, jsonify

from cnnlib.config_fields import LABEL_LIMIT
from cnnlib.evaluation.calibration import PROMISES
from cnnlib.inference.hints import VIEWS
from cnnlib.web.request_parsing import PICTURES_LIMIT, TEXT_LIMIT

Schema = dict[str, Any]

SHARE = {"type": "number", "minimum": 0, "maximum": 1}
LENGTH = {"type": "integer", "minimum": 1, "maximum": LABEL_LIMIT}
READING: Schema = {
    "type": "object",
    "required": ["time", "value", "speed_time(ms)", "confidence", "character_confidences"],
    "properties": {
        "time": {"type": "string", "description": "when the picture was read, in seconds since 1970"},
        "value": {
            "type": ["string", "null"],
            "description": "the text; null if its confidence is below min_confidence",
        },
        "candidate": {"type": "string", "description": "the text, if its confidence is below min_confidence"},
        "speed_time(ms)": {"type": "number", "description": "milliseconds of decoding and reading"},
        "confidence": {**SHARE, "description": "of the whole text"},
        "character_confidences": {"type": "array", "items": SHARE},
        "answer": {
            "type": ["string", "null"],
            "description": "on request: the answer to the sum that the value is; null if it is none",
        },
        "kept": {
            "type": ["string", "null"],
            "description": "on request: the name of the kept picture, for POST /label; null if it is not kept",
        },
    },
    "additionalProperties": False,
}
ERROR: Schema = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {
        "error_code": {"type": "string", "description": "1001 to 1010, or the HTTP status"},
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
        "ready": {"type": "boolean", "description": "whether it is loaded; the keys below need that"},
        "characters": {"type": "string", "description": "the characters that it reads"},
        "width": {"type": "integer", "description": "pixels"},
        "height": {"type": "integer", "description": "pixels"},
        "resize": {
            "type": "boolean",
            "description": "whether pictures of another size are resized; else they are refused",
        },
        "min_length": {"type": "integer"},
        "max_length": {"type": "integer"},
        "network": {"type": "string"},
        "picture_accuracy": {**SHARE, "description": "on verification pictures"},
        "min_confidence": {
            "type": "object",
            "additionalProperties": SHARE,
            "description": "from which confidence on a share of the texts is right, by that share",
        },
        "verification_pictures": {"type": "integer"},
        "step": {"type": "integer"},
        "saved_at": {"type": "string"},
        "keeps_pictures": {"type": "boolean", "description": "whether received pictures are kept (api_save)"},
        "examples": {"type": "integer", "description": "how many pictures GET /examples/NAME/NUMBER has of it"},
    },
    "additionalProperties": False,
}
OPTIONS: Schema = {
    "model": {"type": "string", "description": "a name from GET /models"},
    "min_confidence": {
        "anyOf": [SHARE, {"type": "string", "enum": [*PROMISES]}],
        "description": "a text of less confidence becomes the candidate, and the value is null; 99%: the confidence "
        "from which on that share of the verification pictures was read right",
    },
    "char_set": {
        "type": "string",
        "maxLength": TEXT_LIMIT,
        "description": "only these of the model's characters are read",
    },
    "min_captcha": {**LENGTH, "description": "fewest characters that are read"},
    "max_captcha": {**LENGTH, "description": "most characters that are read"},
    "ignore_case": {"type": "boolean", "description": "texts in lower case, both cases of a letter as one"},
    "views": {
        "type": "integer",
        "enum": [*range(1, VIEWS + 1)],
        "description": "2: a picture that is not read surely is read a second time, cut to its content; 3: and inside "
        "a wide margin; the surest reading counts",
    },
    "answer": {"type": "boolean", "description": "whether the answers to sums are wanted"},
    "kept": {"type": "boolean", "description": "whether the names of kept pictures are wanted, for POST /label"},
    "save": {"type": "boolean", "description": "false: the pictures are not kept, even if the config has api_save"},
}
CORRECTION: Schema = {
    "type": "object",
    "required": ["kept", "label"],
    "properties": {
        "kept": {"type": "string", "description": "what POST /b answered"},
        "label": {"type": "string", "description": "what the picture shows"},
    },
}
FILED: Schema = {
    "type": "object",
    "required": ["label", "file"],
    "properties": {
        "label": {"type": "string", "description": "the label, as a training takes it"},
        "file": {"type": "string", "description": "the name of the picture in new_image_dir"},
    },
    "additionalProperties": False,
}
REFUSALS = {
    "400": "no picture (1001), not a picture (1002), a bad option or a slip in its name (1005), or invalid JSON or "
    "HTTP (400)",
    "401": "the token is missing or wrong",
    "403": "a page of another site sent it, and --cors does not allow its origin; or Host names another machine",
    "404": "there is no model of this name (1004), or no such example (404)",
    "408": "the request took more than 30 seconds to arrive",
    "413": "the request is too large",
    "415": "the body is neither a form, nor a picture, nor JSON, or it has a Content-Encoding",
    "409": "the server keeps no pictures, or the picture was split off already (1009)",
    "410": "the picture is not kept any more (1009)",
    "422": "the picture has another size than the model's (1003), or the text can't be a label (1008)",
    "431": "the request's headers are larger than 64 KiB",
    "502": "the captcha source gave no picture (1007)",
    "503": "the model can't be loaded (1006), too many wait for the captcha source (1007), or a split of the pictures "
    "is under way (1010)",
    "507": "the picture can't be moved, such as on a full disk (1010)",
}
READ_REFUSALS = [status for status in REFUSALS if status not in ("409", "410", "502", "507")]
LABEL_REFUSALS = [status for status in REFUSALS if status != "502"]


def add_openapi(app: Flask) -> None:
    """Add `GET /openapi.json`."""
    description = api_description()

    @app.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(description)


def api_description() -> Schema:
    """The OpenAPI document."""
    empty = {"in": "query", "allowEmptyValue": True}  # as fields of a page are that were not filled in
    options = [{"name": name, **empty, "schema": schema} for name, schema in OPTIONS.items()]
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    number = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    models = _json({"type": "array", "items": _ref("Model")})
    state = {"description": "which models are loaded", **_json({"type": "object"})}
    picture: Schema = {"content": {"image/*": {}}}
    operation = _read_operation()
    return {
        "openapi": "3.1.0",
        "info": {"title": "Captcha recognition", "version": "1"},
        "security": [{}, {"token": []}],
        "paths": {
            "/b": {"post": {**operation, "operationId": "read", "parameters": options}},
            "/b/{name}": {"post": {**operation, "operationId": "readWith", "parameters": [name, *options]}},
            "/label": {"post": _label_operation()},
            "/models": {"get": _get("The models", models, "401", "403")},
            "/fresh": {
                "get": _get("A picture from the captcha source", picture, "401", "403", "502", "503"),
            },
            "/examples/{name}/{number}": {
                "get": {
                    **_get("A picture that a model was trained on", picture, "401", "403", "404"),
                    "parameters": [name, number],
                },
            },
            "/healthz": {"get": _get("Whether the server runs", _json({"type": "object"}), "403")},
            "/readyz": {
                "get": {
                    "summary": "Whether every model is loaded",
                    "responses": {"200": state, "503": state, **_refusals("403")},
                }
            },
            "/metrics": {"get": _get("Prometheus metrics", {"content": {"text/plain": {}}}, "401", "403")},
            "/openapi.json": {"get": _get("This description", _json({"type": "object"}), "401", "403")},
        },
        "components": {
            "schemas": {"Reading": READING, "Error": ERROR, "Model": MODEL},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _read_operation() -> Schema:
    answer = _json({"anyOf": [_ref("Reading"), {"type": "array", "items": _ref("Reading")}]})
    return {
        "summary": "Read pictures",
        "description": "One picture is answered by an object, several by a list in their order. Fields of names "
        "that are nearly those of options are refused, others are passed over.",
        "requestBody": {"required": True, "content": _bodies()},
        "responses": {"200": {"description": "the predictions", **answer}, **_refusals(*READ_REFUSALS)},
    }


def _label_operation() -> Schema:
    return {
        "summary": "Say what a kept picture shows",
        "description": "It is moved into new_image_dir under this label, for the next training. Said again, the last "
        "label counts.",
        "operationId": "label",
        "requestBody": {"required": True, **_json(CORRECTION)},
        "responses": {"200": {"description": "the label and the file", **_json(FILED)}, **_refusals(*LABEL_REFUSALS)},
    }


def _bodies() -> Schema:
    """The request bodies: a form, JSON or a picture."""
    file = {"type": "string", "format": "binary"}
    files = {"anyOf": [file, {"type": "array", "items": file, "minItems": 1, "maxItems": PICTURES_LIMIT}]}
    form = {"type": "object", "required": ["image_file"], "properties": {"image_file": files, **OPTIONS}}
    text = {"type": "string", "description": "base64, or a data URL"}
    images = {"anyOf": [text, {"type": "array", "items": text, "minItems": 1, "maxItems": PICTURES_LIMIT}]}
    content = {"type": "object", "required": ["image"], "properties": {"image": images, **OPTIONS}}
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
