"""How many pixels may be decoded for one picture."""

from PIL import Image

from cnnlib.core.errors import SampleError

WEBP_WEIGHT = 2  # times the memory that a pixel of another format takes


def weight(picture: Image.Image) -> int:
    """As how many pixels one pixel of a picture counts."""
    return WEBP_WEIGHT if picture.format == "WEBP" else 1


class Budget:
    """The pixels that may be decoded for one picture: one and a half times as many as it may have.

    Most pictures are decoded once. Several passes take the frames of an animation whose first one is blank, a JPEG
    without its end marker, and a PNG whose transparent colour has 16-bit samples. Together they stay in the budget.
    """

    def __init__(self, pixel_limit: int) -> None:
        self.pixel_limit = pixel_limit  # of the picture
        self._whole = self._left = pixel_limit * 3 // 2

    def passes(self, picture: Image.Image) -> int:
        """How many times a picture of this size may still be decoded."""
        return self._left // max(1, picture.width * picture.height * weight(picture))

    def take(self, picture: Image.Image, kind: str, passes: int = 1, done: int = 0) -> None:
        """Count the passes that a kind of picture needs, except those that are done.

        Raises SampleError when they are more than the budget allows.
        """
        if passes - done > self.passes(picture):
            limit = self._whole // (passes * weight(picture))
            raise SampleError(f"expected at most {limit} pixels in {kind}; got {picture.width}x{picture.height}")
        self._left -= (passes - done) * picture.width * picture.height * weight(picture)

    def load(self, picture: Image.Image, passes: int = 1) -> Image.Image:
        """An opened picture, or the frame that it is at, decoded. Raises SampleError, and what Pillow raises."""
        self.take(picture, "a picture and its frames", passes)
        picture.load()
        return picture
