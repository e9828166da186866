import pytest

from cnnlib.core.texts import Texts

NAMES = ["", "a", "日本_1.png", "\udcff_2.png", "a\nb", "c" * 300]


def test_texts_come_back_as_they_were() -> None:
    texts = Texts(iter(NAMES))
    assert (len(texts), [*texts], texts[1:3]) == (len(NAMES), NAMES, NAMES[1:3])
    assert "a\nb" in texts
    assert [texts[-place] for place in range(1, len(NAMES) + 1)] == NAMES[::-1]
    for outside in (len(NAMES), -len(NAMES) - 1):
        with pytest.raises(IndexError):
            texts[outside]


def test_no_texts() -> None:
    assert [*Texts([])] == []
    for outside in (0, -1):
        with pytest.raises(IndexError):
            Texts([])[outside]
