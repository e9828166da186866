"""Networks that read pictures: the base class `CNN` and the networks that come with the suite.

Each takes uint8 (batch, height, width, channels), 0 to 255, as decoded, and gives float32 scores
(batch, rows, classes). A row is a position, or a column of the picture. The last class is the blank.
To add one, write a subclass of `CNN` with `scores` and `loss`, or a subclass of one of the networks. Add a line to
`NETWORKS` in `cnnlib.network.names`, under the class name in lower case.
"""

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import keras
import tensorflow as tf
from keras import layers

from cnnlib.codec.decoding import Decoding
from cnnlib.codec.images import Shape
from cnnlib.core.errors import ConfigError, ModelError
from cnnlib.network.blocks import Stride, attend, convolution, normed, residual_block
from cnnlib.network.layers import Dropout, Queries, Resize, Standardise
from cnnlib.network.names import GENERAL_SIZE, NETWORKS, width_fault, width_for_columns
from cnnlib.network.optimizer import Muon

Tensor = Any  # a symbolic or eager tensor


Axis = Literal["alphabet", "channels", "height", "width"]  # what the size of a layer's weights depends on


class CNN(ABC):
    """A network for pictures of one shape, a number of classes and at most `length` characters.

    What training does with a network is said by its class attributes. Every layer needs a name of its own: checkpoints
    and warm starts find weights by it. The layer of the scores is called `classes`.
    """

    decoding: Decoding = "positions"  # how rows become text
    augmented = True  # whether training pictures are changed at random
    consistency = 0.0  # weight of the disagreement between two views of a picture; 0: train on one view
    averaging = 0.998  # share of the running average of the weights that each step keeps; 0: no average
    # For a warm start. A subclass takes all layers of its parent, and a parent those of its subclass.
    shared_layers: tuple[str, ...] = ()  # prefixes of the layers that any other network may take
    fitted_layers: Mapping[str, Axis] = {"classes": "alphabet"}  # layers fitted to another size of this axis
    adamw_layers: tuple[str, ...] = ("classes",)  # layers that AdamW updates; Muon updates the other matrices
    undecayed_weights: tuple[str, ...] = ("gamma", "beta", "bias")  # in the paths of weights without decay

    def __init__(self, shape: Shape, classes: int, length: int) -> None:
        self.shape, self.classes, self.length = shape, classes, length

    @property
    def name(self) -> str:
        """The name of the network in the config and in messages: its class name in lower case."""
        return type(self).__name__.lower()

    @abstractmethod
    def scores(self, pictures: Tensor) -> Tensor:
        """(batch, rows, classes) scores before softmax, of uint8 pictures."""

    @abstractmethod
    def loss(self, labels: Tensor, scores: Tensor) -> Tensor:
        """float32 (batch,), of int32 labels (batch, length) filled up with the blank."""

    def optimizer(self, steps: int) -> keras.optimizers.Optimizer:
        """Muon on a one-cycle cosine (Smith 2018): a quarter of the steps up to 2e-3, then down to 0."""
        warmup = max(1, steps // 4)
        rate = keras.optimizers.schedules.CosineDecay(
            1e-4, decay_steps=max(1, steps - warmup), warmup_target=2e-3, warmup_steps=warmup
        )
        optimizer = Muon(rate, self.adamw_layers, weight_decay=0.05, beta_2=0.98)
        optimizer.exclude_from_weight_decay(var_names=list(self.undecayed_weights))
        return optimizer

    def model(self, policy: str = "float32") -> keras.Model:
        """The Keras model: uint8 pictures to float32 scores, computed in `policy`."""
        with dtype_policy(policy):
            pictures = keras.Input(
                (self.shape.height, self.shape.width, self.shape.channels), dtype="uint8", name="pictures"
            )
            scores = layers.Activation("linear", dtype="float32", name="scores")(self.scores(pictures))
            return keras.Model(pictures, scores, name=self.name)


class Classic(CNN):
    """The network of the original suite of 2019, with its recipe: three convolution stages and two dense layers."""

    augmented = False
    averaging = 0.0

    def scores(self, pictures: Tensor) -> Tensor:
        x = layers.Rescaling(1 / 255, name="scale")(pictures)
        for number, channels in enumerate((32, 64, 128), 1):
            x = layers.Conv2D(channels, 3, padding="same", name=f"conv{number}")(x)
            x = layers.MaxPooling2D(2, padding="same", name=f"pool{number}")(x)
            x = Dropout(0.25, name=f"dropout{number}")(x)
            x = layers.ReLU(name=f"relu{number}")(x)
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(1024, name="features")(x)
        x = Dropout(0.25, name="features_dropout")(x)
        x = layers.ReLU(name="features_relu")(x)
        x = layers.Dense(self.length * self.classes, name="classes")(x)
        return layers.Reshape((self.length, self.classes), name="positions")(x)

    def loss(self, labels: Tensor, scores: Tensor) -> Tensor:
        expected = tf.one_hot(labels, self.classes)
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(expected, scores), axis=(1, 2))

    def optimizer(self, steps: int) -> keras.optimizers.Optimizer:  # noqa: ARG002 (one rate throughout)
        return keras.optimizers.Adam(1e-4)


class Residual(CNN):
    """A network that starts with a stem and residual blocks (He et al. 2016), which its subclasses share."""

    channels: tuple[int, ...] = (64, 64, 128, 128)  # of the blocks
    shared_layers = ("stem", "block")
    fitted_layers: Mapping[str, Axis] = {"stem": "channels", "classes": "alphabet"}

    @abstractmethod
    def strides(self) -> Sequence[Stride]:
        """The stride of each block."""

    def stages(self, pictures: Tensor) -> Tensor:
        """The map (batch, height, width, channels) after a stem of stride 2 and the blocks."""
        x = convolution(Standardise(name="standardise")(pictures), 32, 2, "stem")
        for number, (channels, stride) in enumerate(zip(self.channels, self.strides(), strict=True), 1):
            x = residual_block(x, channels, stride, f"block{number}")
        return x


class Positions(Residual):
    """Residual stages, then one learned query per position that looks for its character on the map.

    For labels that are not read from left to right, such as the answer of a sum.
    """

    adamw_layers = ("stem", "queries", "classes")
    undecayed_weights = (*CNN.undecayed_weights, "query", "place")

    def strides(self) -> Sequence[Stride]:
        return (2, 1, 2, 1)

    def scores(self, pictures: Tensor) -> Tensor:
        x = self.stages(pictures)
        x = layers.Reshape((-1, x.shape[-1]), name="places")(x)  # (batch, height * width, 128)
        x = Queries(self.length, name="queries")(x)  # (batch, length, 128)
        x = Dropout(0.1, name="queries_dropout")(x)
        x = normed(layers.Dense(256, use_bias=False, name="features")(x), "features")
        x = Dropout(0.1, name="features_dropout")(layers.ReLU(name="features_relu")(x))
        return layers.Dense(self.classes, name="classes")(x)

    def loss(self, labels: Tensor, scores: Tensor) -> Tensor:
        smooth = 0.05  # Szegedy et al. 2016
        expected = tf.one_hot(labels, self.classes, 1 - smooth + smooth / self.classes, smooth / self.classes)
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(expected, scores), axis=1)


class Columns(Residual):
    """Residual stages, then a row of classes for each column of the map, read by CTC (Graves et al. 2006).

    Characters may stand anywhere. Columns attend to each other (Vaswani et al. 2017), so that the network can learn
    even the answer of a sum, which no column shows.
    """

    decoding = "columns"
    consistency = 0.2
    rounds = 1  # in which the columns attend to each other
    fitted_layers: Mapping[str, Axis] = {
        **Residual.fitted_layers,
        "fold": "height",
        "place": "width",
        "place2": "width",
    }
    adamw_layers = ("stem", "fold", "place", "place2", "classes")
    undecayed_weights = (*CNN.undecayed_weights, "query", "place")

    def strides(self) -> Sequence[Stride]:
        return (self._first_stride(), 1, (2, 1), (2, 1))

    def scores(self, pictures: Tensor) -> Tensor:
        x = self.stages(pictures)
        x = layers.DepthwiseConv2D((x.shape[1], 1), use_bias=False, name="fold")(x)  # (batch, 1, columns, 128)
        x = layers.Reshape((x.shape[2], x.shape[3]), name="columns")(x)
        x = normed(layers.Conv1D(256, 3, padding="same", use_bias=False, name="features")(x), "features")
        x = layers.ReLU(name="features_relu")(x)
        for number in range(1, self.rounds + 1):
            x = attend(x, "" if number == 1 else str(number))
        x = Dropout(0.1, name="features_dropout")(x)
        return layers.Dense(self.classes, name="classes")(x)

    def _first_stride(self) -> Stride:
        """2, or (2, 1) for narrow pictures, which need more columns.

        Raises ConfigError when there are too few even with (2, 1).
        """
        least = width_for_columns(self.length)
        fault = width_fault(self.name, self.width, least, self.length)
        if fault:
            raise ConfigError(fault)
        return 2 if self.width >= 2 * least else (2, 1)

    @property
    def width(self) -> int:
        """The pixels that the columns are made of."""
        return self.shape.width

    def loss(self, labels: Tensor, scores: Tensor) -> Tensor:
        blank = self.classes - 1
        places = tf.where(labels != blank)
        sparse = tf.SparseTensor(places, tf.gather_nd(labels, places), tf.shape(labels, out_type=tf.int64))
        columns = tf.fill([tf.shape(scores)[0]], tf.shape(scores)[1])
        # Sparse labels and the last class as blank take TensorFlow's compiled loss; dense ones a far slower one.
        return tf.nn.ctc_loss(sparse, scores, None, columns, logits_time_major=False, blank_index=blank)


class Large(Columns):
    """`columns` with one more residual block, more channels and a second round of attention.

    It brings pictures of all sizes to that of the general model, so that a training starts with what this one can read.
    """

    channels = (64, 64, 128, 128, 160)
    rounds = 2
    size = GENERAL_SIZE

    @property
    def width(self) -> int:
        """The pixels that the columns are made of: more than those of `size` for very long labels."""
        return max(self.size[1], width_for_columns(self.length))

    def stages(self, pictures: Tensor) -> Tensor:
        """The map after the blocks, of pictures of the size that it looks at."""
        size = (self.size[0], self.width)
        if size == (self.shape.height, self.shape.width):
            return super().stages(pictures)
        return super().stages(Resize(*size, name="size")(pictures))

    def strides(self) -> Sequence[Stride]:
        return (self._first_stride(), 1, (2, 1), 1, (2, 1))


def network_class(name: str) -> type[CNN]:
    """The class of the network of this name in the config."""
    found: type[CNN] = pkgutil.resolve_name(NETWORKS[name])
    return found


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Layers that are made inside compute with this Keras policy, on pictures whose last axis is the channels.

    Raises ModelError when the process has imported Keras with another backend than TensorFlow.
    """
    if keras.config.backend() != "tensorflow":
        raise ModelError(
            f"Keras: expected the backend tensorflow; got {keras.config.backend()}; in this process "
            "import cnnlib.training before keras, or unset KERAS_BACKEND"
        )
    before, axes = keras.config.dtype_policy(), keras.config.image_data_format()
    keras.config.set_dtype_policy(name)
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
        keras.config.set_image_data_format(axes)
