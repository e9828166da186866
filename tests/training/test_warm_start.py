from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from cnnlib.codec.alphabet import Alphabet
from cnnlib.codec.decoding import Decoding
from cnnlib.codec.images import Shape
from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError
from cnnlib.core.paths import GENERAL_MODEL
from cnnlib.inference.model_card import ModelCard, has_file, load_card, save_model
from cnnlib.network.architectures import CNN, Columns, network_class
from cnnlib.training import warm_start
from cnnlib.training.loop import train
from cnnlib.training.warm_start import NothingFitsError
from tests.helpers import fill
from tests.model_cards import card_of

LETTERS = Alphabet(tuple("abcd"))


def network(shape: Shape, alphabet: Alphabet = LETTERS, name: str = "columns") -> CNN:
    return network_class(name)(shape, alphabet.classes, 2)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A network for coloured pictures of 48x24 with random weights and statistics, and the folder it is saved in."""
    keras.utils.set_random_seed(3)
    model = network(Shape(24, 48, 3)).model()
    model(np.random.default_rng(0).integers(0, 255, (8, 24, 48, 3)).astype(np.uint8), training=True)
    folder = tmp_path_factory.mktemp("older")
    save_model(folder, card("columns", "columns", 3), {"weights": (".npz", warm_start.pack(model))})
    return SimpleNamespace(folder=folder, model=model)


def card(name: str, decoding: Decoding, channels: int) -> ModelCard:
    """The card of a network for pictures of 48x24."""
    look = {"image_height": 24, "image_width": 48, "channels": channels, "characters": LETTERS.characters}
    return card_of(network=name, decoding=decoding, **look)


def pictures(shape: Shape) -> np.ndarray:
    grey = np.random.default_rng(1).integers(0, 255, (4, shape.height, shape.width, 1)).astype(np.uint8)
    return np.repeat(grey, shape.channels, axis=3)


def test_same_network_reads_the_same_before_any_step(older: SimpleNamespace) -> None:
    cnn = network(Shape(24, 48, 3))
    model = cnn.model()
    sentence = warm_start.transfer_weights(older.folder, model, cnn, LETTERS).sentence
    assert "100% of the weights, 4 of 4 characters" in sentence
    same = pictures(Shape(24, 48, 3))
    np.testing.assert_allclose(model(same), older.model(same), atol=0.02)


def test_grey_pictures_are_read_as_their_three_equal_channels_were(older: SimpleNamespace) -> None:
    cnn = network(Shape(24, 48))
    model = cnn.model()
    warm_start.transfer_weights(older.folder, model, cnn, LETTERS)
    np.testing.assert_allclose(model(pictures(Shape(24, 48))), older.model(pictures(Shape(24, 48, 3))), atol=0.02)


def test_characters_keep_their_rows_in_another_alphabet(older: SimpleNamespace) -> None:
    alphabet = Alphabet(tuple("zdb"))
    cnn = network(Shape(24, 48, 3), alphabet)
    model = cnn.model()
    fresh = model.get_layer("classes").bias.numpy() + 7
    model.get_layer("classes").bias.assign(fresh)
    sentence = warm_start.transfer_weights(older.folder, model, cnn, alphabet).sentence
    assert "2 of 3 characters" in sentence
    ours, theirs = model.get_layer("classes"), older.model.get_layer("classes")
    np.testing.assert_allclose(ours.kernel.numpy()[:, [1, 2, 3]], theirs.kernel.numpy()[:, [3, 1, 4]], atol=1e-3)
    assert ours.bias.numpy()[0] == fresh[0], "a new character keeps its random start"


def test_fresh_rows_of_characters_do_not_count_as_carried_over(older: SimpleNamespace) -> None:
    alphabet = Alphabet(("a", *map(chr, range(0x4E00, 0x4E00 + 4000))))
    cnn = network(Shape(24, 48, 3), alphabet)
    model = cnn.model()
    rows = model.get_layer("classes").count_params()
    share = 1 - rows * (1 - 2 / alphabet.classes) / model.count_params()
    sentence = warm_start.transfer_weights(older.folder, model, cnn, alphabet).sentence
    assert f"{share:.0%} of the weights, 1 of 4001 characters" in sentence
    assert share < 0.6


def test_another_size_takes_the_convolutions_and_stretches_the_other_layers(older: SimpleNamespace) -> None:
    cnn = network(Shape(60, 100, 3))
    model = cnn.model()
    assert "100% of the weights" in warm_start.transfer_weights(older.folder, model, cnn, LETTERS).sentence
    old, new = (each.get_layer("fold").kernel.numpy() for each in (older.model, model))
    assert new.shape[0] == 4 != old.shape[0]
    np.testing.assert_allclose(new.sum(axis=0), old.sum(axis=0), atol=0.02)


def test_positions_take_only_the_stages_of_columns(older: SimpleNamespace) -> None:
    cnn = network(Shape(24, 48, 3), name="positions")
    model = cnn.model()
    fresh = model.get_layer("classes").kernel.numpy()
    sentence = warm_start.transfer_weights(older.folder, model, cnn, LETTERS).sentence
    assert "0 of 4 characters" in sentence
    ours, theirs = (each.get_layer("block4_second").kernel.numpy() for each in (model, older.model))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    assert (model.get_layer("classes").kernel.numpy() == fresh).all()
    assert (model.get_layer("features_norm").moving_mean.numpy() == 0).all()


def test_network_with_one_layer_for_all_positions_keeps_its_characters_too(tmp_path: Path) -> None:
    old_cnn, new_cnn = (network(Shape(24, 48), alphabet, "classic") for alphabet in (LETTERS, Alphabet(tuple("zdb"))))
    old, new = old_cnn.model(), new_cnn.model()
    save_model(tmp_path, card("classic", "positions", 1), {"weights": (".npz", warm_start.pack(old))})
    assert "2 of 3 characters" in warm_start.transfer_weights(tmp_path, new, new_cnn, Alphabet(tuple("zdb"))).sentence
    ours, theirs = (each.get_layer("classes").kernel.numpy().reshape(1024, 2, -1) for each in (new, old))
    np.testing.assert_allclose(ours[:, :, [1, 2, 3]], theirs[:, :, [3, 1, 4]], atol=1e-3)


def test_network_without_such_layers_is_refused(older: SimpleNamespace, tmp_path: Path) -> None:
    cnn = network(Shape(24, 48, 3), name="classic")
    model = cnn.model()
    with pytest.raises(ModelError, match="expected a model with layers like classic's; none fits; --warm-start none"):
        warm_start.transfer_weights(older.folder, model, cnn, LETTERS)
    with pytest.raises(ModelError, match="expected a trained model"):
        warm_start.transfer_weights(tmp_path, model, cnn, LETTERS)
    assert has_file(older.folder, "weights")
    assert not has_file(older.folder, "float32")
    assert not has_file(tmp_path, "weights")


def test_subclass_of_a_network_takes_all_of_its_layers(older: SimpleNamespace) -> None:
    class Wider(Columns):
        """A contributor's network with the same layers under another name."""

    cnn = Wider(Shape(24, 48, 3), LETTERS.classes, 2)
    model = cnn.model()
    assert (
        "100% of the weights, 4 of 4 characters"
        in warm_start.transfer_weights(older.folder, model, cnn, LETTERS).sentence
    )


def test_network_with_layers_of_its_own_trains_from_random_weights_by_default(
    configure: Callable[..., SampleConfig], small_network: str
) -> None:
    config = configure(network=small_network, cycle_stop=2, cycle_save=2)
    fill(config.train_image_dir, 20)
    lines: list[str] = []
    train(config, lines.append, "auto")
    assert "Start from random weights" in lines
    assert load_card(config.model_save_dir).network == small_network
    other = configure(network=small_network, model_save_dir=str(config.model_save_dir / "b"))
    with pytest.raises(NothingFitsError, match="expected a model with layers like small's; none fits"):
        train(other, lines.append, str(GENERAL_MODEL))
