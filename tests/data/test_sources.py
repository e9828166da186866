"""Files of folders and archives: which are entered, and which can't be taken."""

import os
import random
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnlib.core.errors import SampleError
from cnnlib.data.sources import Entry, is_likely_chinese, list_source


def names_in(folder: Path) -> list[str]:
    return [str(entry.name) for entry in list_source(folder).entries]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_link_to_a_hidden_folder_is_entered_and_the_folder_itself_is_not(tmp_path: Path) -> None:
    store = tmp_path / "set" / ".store"
    store.mkdir(parents=True)
    (store / "2e8j_1.png").write_bytes(b"x")
    assert names_in(tmp_path / "set") == []
    (tmp_path / "set" / "data").symlink_to(store, target_is_directory=True)
    (tmp_path / "set" / "same").symlink_to(store, target_is_directory=True)
    assert names_in(tmp_path / "set") == ["data/2e8j_1.png"], "once"


@pytest.fixture
def without_rights() -> Iterator[None]:
    """Makes this process, if it is that of the administrator, one of a user without rights."""
    user = os.geteuid()
    if not user:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.mark.skipif(os.name != "posix", reason="rights of another kind on Windows")
@pytest.mark.usefixtures("without_rights")
def test_folder_that_may_be_listed_and_not_entered_costs_its_own_files() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        top = Path(name)
        closed = top / "closed"
        closed.mkdir()
        for path in (top / "2e8j_1.png", closed / "7xkq_2.png", closed / "more.zip"):
            path.write_bytes(b"x")
        (closed / "link.png").symlink_to("7xkq_2.png")
        (closed / "inside").mkdir()
        closed.chmod(0o644)
        source = list_source(top)
        closed.chmod(0o755)
    assert [str(entry.name) for entry in source.entries] == ["2e8j_1.png"]
    reasons = dict.fromkeys(["7xkq_2.png", "link.png", "more.zip"], "can't be read: Permission denied")
    assert dict(source.skipped) == {
        "closed/inside": "the folder can't be read: Permission denied",
        **{f"closed/{name}": reason for name, reason in reasons.items()},
    }


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_links_that_lead_nowhere_or_round_in_circles_are_named(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to("missing.png")
    (tmp_path / "round.png").symlink_to("round.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert list_source(tmp_path).skipped == [
        ("gone.png", "a link to a file that is missing: missing.png"),
        ("pipe.png", "not a file"),
        ("round.png", "a link to a file that is missing: round.png"),
    ]


COMPRESSIONS = {"deflate": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "LZMA": zipfile.ZIP_LZMA}


def outcome(entry: Entry) -> str:
    try:
        return f"{len(entry.read())} bytes"
    except SampleError as error:
        return str(error)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_damage_at_any_byte_of_an_archive_is_one_line_about_one_file(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", COMPRESSIONS[compression]) as archive:
        archive.writestr("2e8j_1.png", bytes(range(100)))
        archive.writestr("7xkq_2.png", b"whole")
    data = path.read_bytes()
    outcomes = []
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xAA]) + data[place + 1 :])
        source = list_source(path)
        outcomes += [outcome(entry) for entry in source.entries] + [reason for _, reason in source.skipped]
    faults = {line for line in outcomes if not line.endswith(" bytes")}
    assert any(line.startswith("can't be unpacked: ") for line in faults)
    assert not any("\n" in line or line.endswith(": ") for line in faults)


def drawn(characters: str, length: int = 4, count: int = 40) -> list[str]:
    chance = random.Random(3)
    return ["".join(chance.choices(characters, k=length)) for _ in range(count)]


RUSSIAN = "".join(map(chr, range(0x430, 0x450)))
HAN = "".join(bytes([first, second]).decode("gb2312") for first in range(0xB0, 0xD7) for second in range(0xA1, 0xFF))


@pytest.mark.parametrize(
    ("encoding", "characters"),
    [
        ("cp1251", RUSSIAN),
        ("cp1251", RUSSIAN.upper()),
        ("cp1251", RUSSIAN.upper()[:20]),
        ("koi8-r", RUSSIAN),
        ("iso8859-5", RUSSIAN + RUSSIAN.upper()),
        ("cp866", RUSSIAN + RUSSIAN.upper()),
        ("cp1253", "αβγδεζηθικλμνξοπ"),
        ("shift_jis", "あいうえおかきくけこさしすせそ"),
        ("shift_jis", "ｱｲｳｴｵｶｷｸｹｺ"),
        ("shift_jis", "日本語東京大阪漢字"),
        ("euc_jp", "日本語東京大阪漢字文学山川"),
        ("euc_kr", "가나다라마바사아자차카타파하"),
        ("big5", "天地玄黃宇宙洪荒"),
    ],
)
def test_labels_of_another_code_page_are_not_taken_for_chinese(encoding: str, characters: str) -> None:
    text = b",".join(label.encode(encoding) for label in drawn(characters)).decode("gb18030", "replace")
    assert not is_likely_chinese(text)


@pytest.mark.parametrize(
    "characters", [HAN, "天地玄黄宇宙洪荒", "图片", "的一是了我不人在他有这上们来到时大地为子中你说生国年着"]
)
def test_common_chinese_is_known(characters: str) -> None:
    for text in ("，".join(drawn(characters)), f"Ａ1：{characters[:4]}"):
        assert is_likely_chinese(text)
    assert not is_likely_chinese("ab12")


def zip_of(path: Path, names: list[bytes]) -> Path:
    """An archive of files whose names have no mark of UTF-8."""
    places = [f"@{number:03d}".ljust(len(name), "x") for number, name in enumerate(names)]
    with zipfile.ZipFile(path, "w") as archive:
        for place in places:
            archive.writestr(place, b"x")
    data = path.read_bytes()
    for place, name in zip(places, names, strict=True):
        data = data.replace(place.encode(), name)
    path.write_bytes(data)
    return path


def test_names_in_archives_of_western_windows_are_read(tmp_path: Path) -> None:
    labels = drawn("äöüÄÖÜéèabcd")
    path = zip_of(tmp_path / "a.zip", [f"{label}_000{n}.png".encode("cp850") for n, label in enumerate(labels)])
    source = list_source(path)
    expected = [f"a.zip/{label}_000{n}.png" for n, label in enumerate(labels)]
    assert sorted(str(entry.name) for entry in source.entries) == sorted(expected)
    assert (source.skipped, source.notes) == ([], [])


@pytest.mark.parametrize(
    ("encoding", "characters"),
    [("cp866", RUSSIAN), ("cp866", RUSSIAN.upper()), ("shift_jis", "あいうえおかき"), ("big5", "天地玄黃宇宙洪荒")],
)
def test_names_in_archives_of_an_unknown_code_page_are_not_usable(
    tmp_path: Path, encoding: str, characters: str
) -> None:
    names = [f"{label}_000{n}.png".encode(encoding) for n, label in enumerate(drawn(characters))]
    source = list_source(zip_of(tmp_path / "a.zip", [*names, b"2e8j_1000.png"]))
    assert [str(entry.name) for entry in source.entries] == ["a.zip/2e8j_1000.png"]
    reasons = {reason for _, reason in source.skipped}
    assert reasons == {"its name is in an unknown code page: unpack the archive, and import the folder"}
    assert len(source.skipped) == 40


def test_chinese_names_in_an_archive_are_read_and_that_is_said(tmp_path: Path) -> None:
    labels = drawn(HAN)
    names = [f"{label}_000{n}.png".encode("gbk") for n, label in enumerate(labels)]
    source = list_source(zip_of(tmp_path / "a.zip", names))
    assert sorted(entry.name.name.partition("_")[0] for entry in source.entries) == sorted(labels)
    assert source.notes == ["a.zip: its names are no UTF-8, and were read as Chinese in GB 18030"]
