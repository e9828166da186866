from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cnnlib.core.errors import ModelError
from cnnlib.inference.litert import LiteRT
from cnnlib.inference.model_card import READING, load_card, load_model, save_model
from cnnlib.inference.recognizer import Recognizer


@pytest.fixture
def content(trained: SimpleNamespace) -> bytes:
    """The exported file of the trained model."""
    return load_model(trained.config.model_save_dir, READING)[1]


def test_each_row_of_probabilities_adds_up_to_one(content: bytes) -> None:
    litert = LiteRT(content)
    assert (litert.input_shape, litert.classes) == ((16, 32, 1), 3)
    probabilities = litert.probabilities(np.full((16, 32, 1), 255, np.uint8))
    assert (probabilities.dtype, probabilities.shape[1]) == (np.float32, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_threads_that_share_a_model_get_the_answers_to_their_pictures(content: bytes) -> None:
    litert = LiteRT(content)
    pictures = np.random.default_rng(0).integers(0, 255, (40, 16, 32, 1)).astype(np.uint8)
    expected = [litert.probabilities(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(litert.probabilities, pictures)]
    np.testing.assert_array_equal(answers, expected)


def test_file_that_litert_cannot_load_is_refused(trained: SimpleNamespace, tmp_path: Path) -> None:
    card = load_card(trained.config.model_save_dir)
    save_model(tmp_path, card, {card.reads: (".tflite", b"no model")})
    with pytest.raises(ModelError, match="LiteRT can't load the model"):
        Recognizer(tmp_path)
