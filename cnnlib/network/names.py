"""The networks by name, and what each needs, for those who must not import TensorFlow."""

from collections.abc import Callable

NETWORKS = {  # name in the config: where its class is
    "columns": "cnnlib.network.architectures:Columns",
    "large": "cnnlib.network.architectures:Large",
    "positions": "cnnlib.network.architectures:Positions",
    "classic": "cnnlib.network.architectures:Classic",
}
FEW_PICTURES = 1000  # below, it matters most how much of the general model a training starts with
FOR_FEW = "large"  # the network of the general model
GENERAL_SIZE = (64, 160)  # height and width in pixels, to which that network brings all pictures
LONGEST_FOR_FEW = 12  # characters, those of the general model


def width_for_columns(length: int) -> int:
    """The least width of a picture, in pixels, for `length` characters in the columns of a CTC head.

    A repeated character needs a blank column between, so that is 2 * length - 1 columns, of 2 pixels at least.
    """
    return 2 * (2 * length - 1)


LEAST_WIDTH: dict[str, Callable[[int], int]] = {"columns": width_for_columns}  # others: any


def least_width(network: str, length: int) -> int:
    """The least width, in pixels, that a network needs for `length` characters."""
    return LEAST_WIDTH[network](length) if network in LEAST_WIDTH else 1


def width_fault(name: str, width: int, least: int, length: int) -> str | None:
    """What to say when pictures are less wide than the `least` that the network `name` needs for a length, or None."""
    if width >= least:
        return None
    return (
        f"max_captcha: the network '{name}' expects a width of at least {least} pixels for {length} characters; "
        f"got {width}; take the network 'positions'"
    )
