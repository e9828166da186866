import threading
import time
from types import SimpleNamespace

from cnnlib.config import SampleConfig
from cnnlib.data.folders import list_entries
from cnnlib.inference.model_card import CARD, load_card
from cnnlib.inference.recognizer import Recognizer
from cnnlib.training.loop import train


def test_model_folder_holds_one_step_and_its_curves(trained: SimpleNamespace) -> None:
    folder = trained.config.model_save_dir
    card = load_card(folder)
    assert card.step == trained.outcome.step
    assert set(card.files) == {"checkpoint", "weights", "float32", "quantised"}
    assert set(card.exported_picture_accuracy) == {"float32", "quantised"}
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names - {".lock"} == {file.name for file in card.files.values()} | {CARD, "train_acc.png", "test_acc.png"}
    assert card.lengths == (2, 2)
    assert (card.characters, card.max_captcha, card.network, card.channels) == (("0", "1"), 2, "columns", 1)
    assert card.training_pictures + card.verification_pictures == 1200


def test_recognizers_read_while_a_training_saves(short: SampleConfig) -> None:
    stop, faults, predictions = threading.Event(), [], []
    picture = list_entries(short.train_image_dir)[0].read_bytes()

    def read() -> None:
        while not stop.is_set():
            if (short.model_save_dir / CARD).exists():
                try:
                    predictions.extend(Recognizer(short.model_save_dir).recognize([picture]))
                except Exception as error:
                    faults.append(error)
            time.sleep(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    train(short, lambda _: None)
    stop.set()
    reader.join()
    assert faults == []
    assert predictions
