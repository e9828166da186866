"""Building blocks of networks: each adds layers with names of their own to a Keras tensor."""

from typing import Any

from keras import layers

from cnnlib.network.layers import BatchNorm, Place

Tensor = Any  # a symbolic tensor
Stride = int | tuple[int, int]  # of both axes, or of height and width


def residual_block(x: Tensor, channels: int, stride: Stride, name: str) -> Tensor:
    """Two convolutions added to their input (He et al. 2016): (batch, height, width, channels) over the stride."""
    y = convolution(x, channels, stride, f"{name}_first")
    y = normed(_conv2d(y, channels, 3, 1, f"{name}_second"), f"{name}_second")
    x = _shortcut(x, channels, stride, f"{name}_skip")
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def convolution(x: Tensor, channels: int, stride: Stride, name: str) -> Tensor:
    """A convolution of 3x3, batch normalisation and ReLU."""
    return layers.ReLU(name=f"{name}_relu")(normed(_conv2d(x, channels, 3, stride, name), name))


def attend(x: Tensor, suffix: str) -> Tensor:
    """Columns that see each other (Vaswani et al. 2017), then are mixed on their own: (batch, columns, channels).

    The names of its layers end with `suffix`.
    """
    placed = Place(name=f"place{suffix}")(x)
    seen = layers.MultiHeadAttention(4, 32, name=f"attention{suffix}")(placed, placed)
    x = layers.Add(name=f"attention_add{suffix}")([x, seen])
    y = normed(layers.Dense(x.shape[-1], use_bias=False, name=f"mixed{suffix}")(x), f"mixed{suffix}")
    return layers.Add(name=f"mixed_add{suffix}")([x, layers.ReLU(name=f"mixed_relu{suffix}")(y)])


def normed(x: Tensor, name: str) -> Tensor:
    """Batch normalisation after the layer `name`."""
    return BatchNorm(name=f"{name}_norm")(x)


def _shortcut(x: Tensor, channels: int, stride: Stride, name: str) -> Tensor:
    """The input of a block in the shape of its output: convolved for more channels, else averaged."""
    if x.shape[-1] != channels:
        return normed(_conv2d(x, channels, 1, stride, name), name)
    return x if stride == 1 else layers.AveragePooling2D(stride, padding="same", name=name)(x)


def _conv2d(x: Tensor, channels: int, size: int, stride: Stride, name: str) -> Tensor:
    return layers.Conv2D(
        channels, size, stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)
