import numpy as np
import pytest

from cnnlib.inference.compatibility import everything
from cnnlib.inference.hints import Hints
from tests.model_cards import card_of

CARD = card_of(characters=("a", "b", "c"), max_captcha=1)


@pytest.mark.parametrize("rows", [1, 2])
def test_answer_of_a_left_out_character_alone_leaves_the_others_alike(rows: int) -> None:
    """What is left of each row is a trace of `a`, of `b` and of the blank, so each has a third of it."""
    reading = everything(CARD).narrowed(Hints(char_set="ab"))
    prediction = reading.decode(np.array([[0.0, 0.0, 1.0, 0.0]] * rows, np.float32))
    assert prediction.text in ("a", "b")
    assert [prediction.confidence, *prediction.character_confidences] == pytest.approx([1 / 3, 1 / 3])
