"""Model cards, and models of a few bytes, for tests that need no trained network."""

from pathlib import Path
from typing import Any

from cnnlib.inference.model_card import ModelCard, save_model


def card_of(**changes: Any) -> ModelCard:
    """The card of a network for grey pictures of 32x16 with two of the characters 0 and 1, with keys changed."""
    keys = {
        "network": "columns",
        "decoding": "columns",
        "image_height": 16,
        "image_width": 32,
        "channels": 1,
        "characters": ("0", "1"),
        "max_captcha": 2,
        "step": 1,
        "training_pictures": 10,
        "verification_pictures": 1,
        "verification_picture_accuracy": 1.0,
        "verification_character_accuracy": 1.0,
        "best_picture_accuracy": 1.0,
        "best_step": 1,
        "saved_at": "2026-01-01T00:00:00+00:00",
        "versions": {"python": "3"},
    }
    return ModelCard.model_validate(keys | changes)


def save_bytes(folder: Path, step: int = 1, content: bytes = b"model") -> ModelCard:
    """Save a model with this content as its float32 file; returns its card."""
    files = {"checkpoint": (".npz", content + b" weights"), "float32": (".tflite", content)}
    return save_model(folder, card_of(step=step, best_step=step), files)
