"""Which files of a source are pictures, and what to do about the others."""

import re
from pathlib import PurePosixPath

from cnnlib.codec.characters import escape_odd
from cnnlib.codec.filenames import ANY_SUFFIX, has_suffix
from cnnlib.codec.images import suffix_of
from cnnlib.core.errors import SampleError
from cnnlib.data.sources import Entry

_UNREAD = {  # kinds of files that are not read, and what to do about them
    "convert them to PNG": ("tif", "tiff", "avif", "heic", "heif", "ico", "svg", "psd", "jxl", "jp2", "tga", "pdf"),
    "unpack them, and import the folder": ("rar", "7z", "tar", "gz", "tgz", "bz2", "tbz", "xz", "txz", "zst", "lz4"),
    "save the table as CSV": ("xlsx", "xls", "xlsm", "ods", "numbers"),
    "save their pictures as files": ("parquet", "arrow", "npz", "npy", "pkl", "mat", "h5", "mdb", "tfrecord"),
}
_WAYS_OUT = {f".{suffix}": way_out for way_out, suffixes in _UNREAD.items() for suffix in suffixes}


_BEGINNING = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|BM|RIFF.{4}WEBP", re.DOTALL)  # of all FORMATS
_HEAD_BYTES = 12  # that it looks at


def may_be_picture(entry: Entry) -> bool:
    """Whether a file is a picture by its suffix or, if it has another, by its content.

    One that begins like no picture is not read further.
    """
    if has_suffix(entry.name, ANY_SUFFIX):
        return True
    try:
        return bool(_BEGINNING.match(entry.head(_HEAD_BYTES)) and suffix_of(entry.read()))
    except SampleError:
        return False


def why_unread(name: PurePosixPath) -> str:
    """Why a file is not imported, with the way out where there is one."""
    kind = name.suffix.lower()
    if kind in _WAYS_OUT:
        return f"{kind} files are not read: {_WAYS_OUT[kind]}"
    return f"{escape_odd(kind)} files are no pictures" if kind else "not a picture"
