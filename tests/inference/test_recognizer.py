import io
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cnnlib
from cnnlib import recognition_object
from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.filenames import label_of
from cnnlib.codec.images import Shape, open_picture
from cnnlib.core.errors import ModelError, SampleError, SizeError
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from cnnlib.inference.hints import Hints
from cnnlib.inference.model_card import load_card, save_model
from cnnlib.inference.recognizer import Recognizer
from tests.helpers import draw


@pytest.fixture
def recognizer(trained: SimpleNamespace) -> Recognizer:
    return Recognizer(trained.config.model_save_dir)


@pytest.fixture
def pictures(trained: SimpleNamespace) -> list[Path]:
    return list_entries(trained.config.test_image_dir)


def test_bytes_pillow_and_arrays_are_read_alike(recognizer: Recognizer, pictures: list[Path]) -> None:
    data = [path.read_bytes() for path in pictures]
    predictions = recognizer.recognize(data)
    assert recognizer.recognize([Image.open(path) for path in pictures]) == predictions
    assert recognizer.recognize([open_picture(each, Shape(16, 32)) for each in data]) == predictions
    labels = [label_of(path.name) for path in pictures]
    right = sum(prediction.text == label for prediction, label in zip(predictions, labels, strict=True))
    assert right >= 0.9 * len(labels)


def test_pillow_picture_is_read_as_its_bytes_are(recognizer: Recognizer, pictures: list[Path], tmp_path: Path) -> None:
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 8  # held turned: to be shown after a quarter turn
    Image.open(pictures[0]).convert("RGB").rotate(-90, expand=True).save(turned, exif=exif, quality=95)
    opened = Image.open(turned)
    assert recognizer.recognize([opened]) == recognizer.recognize([turned.read_bytes()])
    assert opened.size == (16, 32), "it is left as it was"
    cut = Image.open(io.BytesIO(turned.read_bytes()[:-200]))
    with pytest.raises(SampleError, match="can't be decoded"):
        recognizer.recognize([cut])


def test_other_size_is_resized_when_the_card_says_so(
    trained: SimpleNamespace, tmp_path: Path, pictures: list[Path]
) -> None:
    card = load_card(trained.config.model_save_dir).model_copy(update={"resize": True})
    content = (trained.config.model_save_dir / card.files[card.reads].name).read_bytes()
    save_model(tmp_path, card, {card.reads: (".tflite", content)})
    reader = Recognizer(tmp_path)
    large = [Image.open(path).convert("RGB").resize((96, 48)) for path in pictures]
    right = [reader.recognize(each).text == label_of(path.name) for each, path in zip(large, pictures, strict=True)]
    assert sum(right) >= 0.8 * len(right)
    arrays = [np.asarray(picture) for picture in large]
    assert reader.recognize(arrays) == reader.recognize(large), "arrays are resized as pictures are"


@pytest.mark.parametrize("change", [{"image_width": 40}, {"channels": 3}, {"characters": ("0", "1", "2")}])
def test_model_that_disagrees_with_its_card_is_refused(
    trained: SimpleNamespace, tmp_path: Path, change: dict[str, object]
) -> None:
    card = load_card(trained.config.model_save_dir)
    content = (trained.config.model_save_dir / card.files[card.reads].name).read_bytes()
    save_model(tmp_path, card.model_copy(update=change), {card.reads: (".tflite", content)})
    with pytest.raises(ModelError, match="the card's height, width, channels and classes"):
        Recognizer(tmp_path)


def test_each_character_has_a_confidence_from_0_to_1(recognizer: Recognizer, pictures: list[Path]) -> None:
    for prediction in recognizer.recognize([path.read_bytes() for path in pictures]):
        assert 0 < prediction.confidence <= 1
        assert len(prediction.character_confidences) == len(prediction.text)
        assert all(0 < share <= 1 for share in prediction.character_confidences)


def test_no_pictures_give_no_predictions(recognizer: Recognizer) -> None:
    assert recognizer.recognize([]) == []


def test_original_form_and_method_work(trained: SimpleNamespace, pictures: list[Path]) -> None:
    reader = recognition_object.Recognizer(16, 32, 2, ["0", "1"], trained.config.model_save_dir)
    expected = Recognizer(trained.config.model_save_dir).recognize([pictures[0].read_bytes()])[0].text
    assert reader.rec_image(Image.open(pictures[0])) == expected


def test_characters_left_out_are_not_read(trained: SimpleNamespace, pictures: list[Path]) -> None:
    folder = trained.config.model_save_dir
    texts = {prediction.text for prediction in Recognizer(folder).recognize([path.read_bytes() for path in pictures])}
    narrow = recognition_object.Recognizer(16, 32, 2, "1", folder)
    narrow_texts = {prediction.text for prediction in narrow.recognize([path.read_bytes() for path in pictures])}
    assert "0" in "".join(texts)
    assert set("".join(narrow_texts)) == {"1"}
    assert (Recognizer(folder).characters, narrow.characters) == ("01", "1")


def test_original_form_is_checked_against_the_card(trained: SimpleNamespace) -> None:
    with pytest.raises(
        ModelError, match="trained with image_height 16, but the call of Recognizer says image_height 60"
    ):
        Recognizer(60, 32, 2, "01", trained.config.model_save_dir)
    with pytest.raises(TypeError, match=r"expects \(model_dir\), or \(image_height, .*; got \(60, 32\)"):
        Recognizer(60, 32)


def test_other_size_and_unreadable_pictures_are_refused(recognizer: Recognizer, tmp_path: Path) -> None:
    with pytest.raises(SizeError, match="expected 32x16 pixels; got 33x16"):
        recognizer.recognize([draw("01", tmp_path / "01_1.png", size=(33, 16)).read_bytes()])
    with pytest.raises(SampleError, match="not a PNG"):
        recognizer.recognize([b"text"])
    with pytest.raises(SizeError, match=r"expected an array of uint8 .*; got float64 \(16, 32, 1\)"):
        recognizer.recognize([np.zeros((16, 32, 1))])


@pytest.mark.slow
def test_two_recognizers_of_different_sizes_from_several_threads(
    recognizer: Recognizer, pictures: list[Path], other_size: SimpleNamespace
) -> None:
    """Known bug 4 of the original suite."""
    other = Recognizer(other_size.config.model_save_dir)
    data = [path.read_bytes() for path in pictures]
    expected = [prediction.text for prediction in recognizer.recognize(data)]

    def read(number: int) -> bool:
        index = number % len(data)
        first = recognizer.recognize([data[index]])[0].text == expected[index]
        return first and other.recognize([other_size.picture])[0].text == other_size.text

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(400)))


MEMORY = """
import sys
from pathlib import Path
from cnnlib.inference.recognizer import Recognizer
def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
reader = Recognizer(sys.argv[1])
data = [path.read_bytes() for path in sorted(Path(sys.argv[2]).glob("*.png"))]
for _ in range(2000 // len(data)):
    reader.recognize(data)
before = resident_mb()
for number in range(10000):
    reader.recognize([data[number % len(data)]])
print(resident_mb() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from Linux's /proc")
def test_ten_thousand_pictures_do_not_grow_memory(trained: SimpleNamespace) -> None:
    """Known bug 3 of the original suite."""
    folders = [str(trained.config.model_save_dir), str(trained.config.test_image_dir)]
    grown = subprocess.run([sys.executable, "-c", MEMORY, *folders], cwd=PROJECT_ROOT, capture_output=True, check=True)
    assert float(grown.stdout) < 5


def test_copied_model_reads_without_its_checkpoint(
    trained: SimpleNamespace, pictures: list[Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(trained.config.model_save_dir, tmp_path / "copy")
    for checkpoint in copy.glob("checkpoint-*"):
        checkpoint.unlink()
    data = [path.read_bytes() for path in pictures]
    assert Recognizer(copy).recognize(data) == Recognizer(trained.config.model_save_dir).recognize(data)


def test_one_picture_of_any_kind_is_read_alike(recognizer: Recognizer, pictures: list[Path]) -> None:
    path, opened = pictures[0], Image.open(pictures[0])
    colours = np.asarray(opened.convert("RGB"))
    with path.open("rb") as file:
        prediction = recognizer.recognize(file)
    kinds = [
        str(path),
        path,
        path.read_bytes(),
        bytearray(path.read_bytes()),
        io.BytesIO(path.read_bytes()),
        opened,
        colours,
        np.asarray(opened.convert("L")),
        np.asarray(opened.convert("RGBA")),
        np.asfortranarray(colours),
    ]
    assert [recognizer.recognize(kind) for kind in kinds] == [prediction] * len(kinds)
    kinds[4].seek(0)
    assert recognizer.recognize(kinds) == [prediction] * len(kinds)
    assert recognizer.recognize(iter([path])) == [prediction]
    assert recognizer.recognize(np.stack([colours, colours])) == [prediction] * 2
    assert recognizer.recognize([]) == []
    assert recognizer.rec_image(str(path)) == prediction.text
    assert recognizer.recognize_file(str(path)) == prediction


def test_transparent_array_shows_white(recognizer: Recognizer, pictures: list[Path]) -> None:
    grey = np.asarray(Image.open(pictures[0]).convert("L"))
    ink = np.dstack([np.zeros_like(grey)] * 3 + [255 - grey])  # black, opaque where the picture is dark
    assert recognizer.recognize(ink) == recognizer.recognize(grey)


@pytest.mark.parametrize("nothing", [3, None, 2.5, [None], [3]])
def test_objects_of_other_types_are_a_type_error(recognizer: Recognizer, nothing: object) -> None:
    with pytest.raises(TypeError, match=r"expected a picture, as a path|expected a path, bytes"):
        recognizer.recognize(nothing)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        (
            "http://other/a.png",
            "http://other/a.png: expected the path of a picture, or its bytes; got an address; fetch",
        ),
        ("iVBORw0KGgo" + "A" * 9000, "or its bytes; got base64; decode it first with base64.b64decode"),
        ("data:image/png;base64,AAAA", "or its bytes; got base64"),
        ("x" * 9000, "or its bytes; got another text"),
        ("a\0b", "or its bytes; got another text"),
    ],
)
def test_text_that_is_no_path_is_a_sample_error(recognizer: Recognizer, text: str, got: str) -> None:
    for read in (recognizer.recognize, recognizer.rec_image, recognizer.recognize_file):
        with pytest.raises(SampleError) as caught:
            read(text)
        assert got in str(caught.value)
        assert len(str(caught.value)) < 200


def test_address_as_a_path_is_a_sample_error(recognizer: Recognizer) -> None:
    with pytest.raises(SampleError, match="got an address"):
        recognizer.recognize(Path("http://other/a.png"))


def test_pillow_picture_without_pixels_is_a_size_error(recognizer: Recognizer) -> None:
    with pytest.raises(SizeError, match="expected a picture of 1 pixel or more; got 0x5"):
        recognizer.recognize(Image.new("RGB", (0, 5)))


@pytest.mark.parametrize("folder", [None, "", 5])
def test_folder_of_another_type_is_a_type_error(folder: Any) -> None:
    for arguments in ((folder,), (16, 32, 2, "01", folder)):
        with pytest.raises(TypeError, match=r"expected the folder of a model, as a text or a Path; got (None|''|5)$"):
            Recognizer(*arguments)


def test_config_in_place_of_a_model_is_told_where_the_model_is() -> None:
    config = PROJECT_ROOT / "conf" / "general_config.json"
    with pytest.raises(ModelError, match=r"the folder of a model; got a file; a config names the folder in model_save"):
        Recognizer(config)


@pytest.mark.parametrize("hints", [None, {"char_set": "0"}, "0"])
def test_hints_of_another_type_are_a_type_error(
    recognizer: Recognizer, trained: SimpleNamespace, pictures: list[Path], hints: Any
) -> None:
    folder = trained.config.model_save_dir
    for call in (
        lambda: recognizer.recognize(pictures[0], hints),
        lambda: Recognizer(folder, hints=hints),
        lambda: Recognizer.general(hints=hints),
    ):
        with pytest.raises(TypeError, match=r"expected hints as Hints, such as Hints\(char_set="):
            call()


@pytest.mark.parametrize(
    "array",
    [np.zeros((16, 32), float), np.zeros((16, 32, 2), np.uint8), np.zeros((0, 32), np.uint8), np.zeros(5, np.uint8)],
    ids=["float", "two channels", "empty", "flat"],
)
def test_array_that_is_no_picture_is_refused(recognizer: Recognizer, array: np.ndarray) -> None:
    with pytest.raises(SizeError, match=r"expected an array of uint8 \(height, width\)"):
        recognizer.recognize(array)


def test_missing_file_and_text_file_are_refused(recognizer: Recognizer, tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=r"nothing\.png: can't be read: No such file or directory"):
        recognizer.recognize(str(tmp_path / "nothing.png"))
    (tmp_path / "a.txt").write_text("text")
    with (tmp_path / "a.txt").open() as file, pytest.raises(SampleError, match="opened in binary mode"):
        recognizer.recognize(file)


def test_original_arguments_may_be_given_by_name(trained: SimpleNamespace, pictures: list[Path]) -> None:
    folder = trained.config.model_save_dir
    expected = Recognizer(folder).recognize(pictures[0])
    named = {"image_height": 16, "image_width": 32, "max_captcha": 2, "char_set": ["0", "1"], "model_save_dir": folder}
    assert Recognizer(**named).recognize(pictures[0]) == expected
    height = named.pop("image_height")
    assert Recognizer(height, **named).recognize(pictures[0]) == expected
    assert Recognizer(model_dir=str(folder)).recognize(pictures[0]) == expected
    assert Recognizer(model_save_dir=folder).recognize(pictures[0]) == expected
    for wrong in ({}, named, {"model_dir": folder, "height": 3}, {**named, "image_height": 16, "model_dir": folder}):
        with pytest.raises(TypeError, match=r"expects \(model_dir\), or \(image_height, "):
            Recognizer(**wrong)


def test_general_model_reads_only_the_characters_it_is_given(tmp_path: Path) -> None:
    picture = draw("4271", tmp_path / "captcha.png", size=(60, 20))
    assert cnnlib.Recognizer.general("0123456789").recognize(picture).text == "4271"
    assert set(Recognizer.general("ab").recognize(picture).text) <= {"a", "b"}
    assert len(Recognizer.general().characters) > 60
    with pytest.raises(ModelError, match="general: char_set: expected characters that the model reads; got 地 天"):
        Recognizer.general("天地")


def test_characters_come_in_lower_case_where_case_is_ignored() -> None:
    known = Recognizer.general("aAbC1", Hints(ignore_case=True))
    assert sorted(known.characters) == ["1", "a", "b", "c"]
    assert sorted(Recognizer.general("aAbC1").characters) == ["1", "A", "C", "a", "b"]
    assert Recognizer.general("aAbC1", Hints(char_set="1b")).characters == "1b"
    with pytest.raises(ModelError, match="char_set: expected characters that the model reads; got x"):
        Recognizer.general("01", Hints(char_set="x"))


@pytest.mark.parametrize(
    ("confidences", "views", "looked", "read"),
    [
        ([0.9, 0.95, 0.99], 3, 1, "a"),
        ([0.3, 0.6, 0.99], 3, 2, "b"),
        ([0.3, 0.2, 0.4], 3, 3, "c"),
        ([0.3, 0.2, 0.1], 3, 3, "a"),
        ([0.3, 0.2, 0.99], 2, 2, "a"),
        ([0.3, 0.6, 0.99], 1, 1, "a"),
    ],
)
def test_a_picture_is_looked_at_until_it_is_read_surely(
    recognizer: Recognizer,
    pictures: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    confidences: list[float],
    views: int,
    looked: int,
    read: str,
) -> None:
    seen: list[np.ndarray] = []

    def predict(array: np.ndarray, _reading: object) -> Prediction:
        seen.append(array)
        number = len(seen) - 1
        return Prediction("abc"[number], confidences[number], ())

    monkeypatch.setattr(recognizer, "_predict", predict)
    assert recognizer.recognize(pictures[0], Hints(views=views)).text == read
    assert len({array.tobytes() for array in seen}) == len(seen) == looked


def test_general_model_looks_three_times_unless_told_otherwise() -> None:
    assert Recognizer.general()._reading.views == 3
    assert Recognizer.general("0123", Hints(max_captcha=4))._reading.views == 3
    assert Recognizer.general(hints=Hints(views=1))._reading.views == 1


def test_share_that_a_card_does_not_promise_is_refused_in_a_short_message(trained: SimpleNamespace) -> None:
    recognizer = Recognizer(trained.config.model_save_dir)
    assert recognizer.threshold(0.5) == 0.5
    with pytest.raises(ModelError, match=r"that the model's card promises, none; got 99%; "):
        recognizer.threshold("99%")
    promises = {f"{number}%": 0.5 for number in range(9000)}
    recognizer.card = recognizer.card.model_copy(update={"min_confidence": promises})
    assert recognizer.threshold("99%") == 0.5
    with pytest.raises(ModelError) as caught:
        recognizer.threshold("x" * 9000)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("pictures", "promises", "share", "way_out"),
    [
        (2000, {}, "99%", "; on its 2000 verification pictures the model was never that sure; "),
        (299, {}, "99%", "; on its 299 verification pictures the model was never that sure; "),
        (298, {}, "99%", "; the model was verified on 298 pictures, and 99% takes 299; "),
        (2000, {"99%": 0.8}, "99.9%", "; the model was verified on 2000 pictures, and 99.9% takes 2995; "),
        (5000, {"99%": 0.8}, "99.9%", "; on its 5000 verification pictures the model was never that sure; "),
        (5000, {"99%": 0.8}, "95%", "; "),
    ],
)
def test_share_that_a_card_does_not_promise_is_refused_with_the_reason(
    pictures: int, promises: dict[str, float], share: str, way_out: str
) -> None:
    recognizer = Recognizer.general()
    changes = {"verification_pictures": pictures, "min_confidence": promises}
    recognizer.card = recognizer.card.model_copy(update=changes)
    with pytest.raises(ModelError) as caught:
        recognizer.threshold(share)
    known = "99%" if promises else "none"
    expected = "min_confidence: expected a number from 0 to 1, or a share that the model's card promises"
    assert str(caught.value) == f"{expected}, {known}; got {share}{way_out}give a number from 0 to 1"


def test_older_card_is_exported_again_for_its_promises() -> None:
    recognizer = Recognizer.general()
    older = recognizer.card.model_dump(exclude={"min_confidence"})
    recognizer.card = type(recognizer.card).model_validate(older)
    with pytest.raises(
        ModelError, match=r"none; got 99%; the card is an older one; train_model\.py --export-only adds"
    ):
        recognizer.threshold("99%")


def test_imports_of_older_programs_still_work() -> None:
    from cnnlib.recognizer import Recognizer as Version01

    assert Version01 is recognition_object.Recognizer is cnnlib.Recognizer is Recognizer
    assert cnnlib.Hints is Hints
    with pytest.raises(AttributeError, match="module 'cnnlib' has no attribute 'Reader'"):
        _ = cnnlib.Reader
