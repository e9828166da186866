from pathlib import Path

import pytest

from cnnlib.review import Review, advice, review

NAMES = [Path(f"{n}.png") for n in range(100)]


def found(wrong: int, verified: float, losses: float = 1.0) -> Review:
    texts = ["x"] * wrong + ["a"] * (100 - wrong)
    share = round(100 * verified)
    return review(
        NAMES,
        (["a"] * 100, texts, [losses * n for n in range(100)]),
        (["a"] * 100, ["a"] * share + ["b"] * (100 - share)),
    )


def test_suspects_are_the_misread_training_pictures_by_loss() -> None:
    one = found(3, 1.0)
    assert [(s.path.name, s.label, s.text) for s in one.suspects] == [(f"{n}.png", "a", "x") for n in (2, 1, 0)]
    assert one.training.picture == 0.97


def test_network_that_reads_little_suspects_nobody() -> None:
    assert found(40, 0.5).suspects == []


def test_confusions_are_those_of_the_verification_pictures() -> None:
    assert found(0, 0.98).confusions == [("a", "b", 2)]


@pytest.mark.parametrize(
    ("wrong", "verified", "words"),
    [
        (5, 0.9, "correct the labels"),
        (0, 0.5, "more labelled pictures: those for training"),
        (40, 0.6, "more steps"),
        (0, 0.99, "nothing: measure it"),
    ],
)
def test_advice(wrong: int, verified: float, words: str) -> None:
    assert advice(found(wrong, verified)).startswith(words)
