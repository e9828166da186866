"""JPEGs without their end marker: whether only the marker is missing, or pixels too."""

import re
from collections.abc import Iterator

import numpy as np

START_OF_SCAN, END = b"\xff\xda", b"\xff\xd9"  # markers, impossible inside compressed data
_FRAME_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # any but those inside compressed data
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_RESTART_INTERVAL = b"\xff\xdd"
_COEFFICIENTS = 64  # of a block
# Noise, each with other bits at its start. No byte of it is 0xff, which would begin a marker.
_STARTS = (0x80, 0x5A, 0xC3, 0x24, 0xE1, 0x0F, 0xF4, 0xB6)
_CONTINUATIONS = tuple(
    bytes((start, *np.random.default_rng(start).integers(0, 0xFF, 95, np.uint8).tolist())) for start in _STARTS
)


def lacks_end(data: bytes) -> bool:
    """Whether a JPEG has no end marker after its last scan."""
    return data.rfind(START_OF_SCAN) > data.rfind(END)


def endings(data: bytes) -> Iterator[bytes]:
    """A JPEG without end marker, ended in several ways, the plain one first; none when scans are missing.

    If no pixel is missing, the decoder has no use for what follows, and all of them look alike. If one is, it is made
    from what follows, and they differ.
    """
    if not _has_all_scans(data):
        return
    body = data.rstrip(b"\xff")  # half a marker
    yield body + END
    restart = _next_restart(body) if _RESTART_INTERVAL in data else b""
    for continuation in _CONTINUATIONS:
        if restart:  # the decoder may skip everything up to it
            yield body + restart + continuation + END
        yield body + continuation + END


def _next_restart(body: bytes) -> bytes:
    """The restart marker that comes after those of the last scan. They are numbered 0 to 7, again and again."""
    restarts = _RESTART.findall(body, body.rfind(START_OF_SCAN))
    return bytes((0xFF, 0xD0 + (restarts[-1][0] + 1) % 8 if restarts else 0xD0))


def _has_all_scans(data: bytes) -> bool:
    """Whether the scans that begin in this JPEG hold every bit of every coefficient. A progressive one spreads them."""
    missing_bits: dict[int, list[int]] = {}  # by component, for each coefficient; -1: nothing came
    progressive = False
    for marker, start, end in segments(data):
        segment = data[start + 4 : end]
        if marker in _FRAME_MARKERS:
            progressive = marker in (0xC2, 0xCA)
            missing_bits = {segment[6 + 3 * n]: [-1] * _COEFFICIENTS for n in range(segment[5])}
        elif marker == START_OF_SCAN[1]:
            count = segment[0]
            first, last, bits = segment[1 + 2 * count : 4 + 2 * count] if progressive else (0, _COEFFICIENTS - 1, 0)
            for component in segment[1 : 1 + 2 * count : 2]:
                missing_bits[component][first : last + 1] = [bits & 15] * (last + 1 - first)
    return bool(missing_bits) and not any(map(any, missing_bits.values()))


def segments(data: bytes, at: int = 2) -> Iterator[tuple[int, int, int]]:
    """The segments from a place up to the end marker: their markers, and where they start and end."""
    while (match := _MARKER.search(data, at)) and match[0] != END:
        length = int.from_bytes(data[match.end() : match.end() + 2], "big")
        at = match.end() + max(length, 2)
        yield match[0][1], match.start(), at
