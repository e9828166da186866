"""What the tests of the web share: requests, and clients of applications with some models."""

import io
from typing import Any

from flask.testing import FlaskClient

from cnnlib.config import SampleConfig
from cnnlib.web.app import create_recognition_app
from cnnlib.web.model_registry import ModelRegistry, ServedModel


def loaded(name: str, config: SampleConfig) -> ServedModel:
    """The model of a config, loaded."""
    model = ServedModel(name, config)
    model.load()
    return model


def client_of(*models: ServedModel, **options: Any) -> FlaskClient:
    """A client of the recognition API with these models."""
    return create_recognition_app(ModelRegistry(models), **options).test_client()


def form(*pictures: bytes, name: str = "captcha.png", **fields: Any) -> dict[str, Any]:
    """The arguments of a request with these pictures, all of one name, in a multipart form."""
    files = [(io.BytesIO(data), name) for data in pictures]
    return {"data": {"image_file": files, **fields}, "content_type": "multipart/form-data"}
