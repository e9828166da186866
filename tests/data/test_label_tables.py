"""Tables in the shapes that people write: which picture a row names, which column has the labels, what is broken."""

import json
import random
import unicodedata
from pathlib import PurePosixPath

import pytest

from cnnlib.data.label_tables import PictureIndex, Table, read_table, unwrap

ROOT = PurePosixPath()


def index_of(*names: str) -> PictureIndex:
    return PictureIndex(map(PurePosixPath, names))


def labels_in(table: Table) -> dict[str, list[str]]:
    return {str(picture): labels for picture, labels in table.labels.items()}


@pytest.mark.parametrize(
    ("cell", "pictures"),
    [
        ("aBcDe.png", ["aBcDe.png"]),
        ("ABCDE.png", ["aBcDe.png", "abcde.png"]),
        ("X.PNG", ["x.png"]),
        (unicodedata.normalize("NFD", "é.png"), ["é.png"]),
        ("0000.png", ["a/0000.png", "b/0000.png"]),
        ("b/0000.png", ["b/0000.png"]),
        (r"C:\old\b\0000.png", ["b/0000.png"]),
        ("https://example.com/c/x.png?t=1#top", ["x.png"]),
        ("0000", ["a/0000.png", "b/0000.png"]),
        ("2e8j.png", ["2e8j.png"]),
        ("gone.png", []),
    ],
)
def test_cell_means_the_pictures_that_are_spelled_alike(cell: str, pictures: list[str]) -> None:
    index = index_of("aBcDe.png", "abcde.png", "x.png", "é.png", "a/0000.png", "b/0000.png", "2e8j.png", "2e8j.png.1")
    assert list(map(str, index.find(cell, ROOT).pictures)) == pictures


def test_names_in_decomposed_characters_are_found_by_composed_ones() -> None:
    name = unicodedata.normalize("NFD", "é.png")
    assert [str(picture) for picture in index_of(name).find("é.png", ROOT).pictures] == [name]


def test_table_in_a_folder_names_the_pictures_there() -> None:
    index = index_of("a/0000.png", "b/0000.png")
    table = read_table(b"0000.png,2e8j\n", PurePosixPath("b/labels.csv"), index)
    assert labels_in(table) == {"b/0000.png": ["2e8j"]}


def test_row_that_names_two_pictures_labels_neither_and_names_both() -> None:
    index = index_of("a/0000.png", "b/0000.png", "b/1.png")
    table = read_table(b"0000.png,2e8j\n1.png,7xkq\n", PurePosixPath("labels.csv"), index)
    assert labels_in(table) == {"b/1.png": ["7xkq"]}
    reason = "a row of labels.csv names 2 pictures: a/0000.png, b/0000.png"
    assert list(table.unclear.values()) == [reason, reason]
    assert (table.strangers, table.cause) == (0, "")
    table = read_table(b"0000.png,2e8j\n", PurePosixPath("labels.csv"), index)
    assert table.cause == "each row names several pictures: a/0000.png, b/0000.png"


def test_row_of_a_picture_that_is_missing_does_not_label_its_namesake() -> None:
    text = "train/0.png,2e8j\ntest/0.png,7xkq\n"
    table = read_table(text.encode(), PurePosixPath("labels.csv"), index_of("train/0.png"))
    assert labels_in(table) == {"train/0.png": ["2e8j"]}
    assert table.strangers == 1


CHANCE = random.Random(7)
NUMBERS = [f"{number:04d}" for number in range(30)]
LABELS = ["".join(CHANCE.choices("abcdefgh23456789", k=4)) for _ in NUMBERS]
OTHERS = ["".join(CHANCE.choices("abcdefgh23456789", k=6)) for _ in NUMBERS]
INDEX = index_of(*(f"{number}.png" for number in NUMBERS))


def read(text: str, name: str = "labels.csv") -> Table:
    return read_table(text.encode(), PurePosixPath(name), INDEX)


def rows(line: str, header: str = "") -> str:
    """A line for each picture, of {name}, {label}, {other} and {n}, below a header."""
    fields = zip(NUMBERS, LABELS, OTHERS, strict=True)
    lines = [line.format(name=f"{n}.png", label=label, other=other, n=int(n)) for n, label, other in fields]
    return "\n".join([header, *lines] if header else lines) + "\n"


EXPECTED = {f"{number}.png": [label] for number, label in zip(NUMBERS, LABELS, strict=True)}


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("{name},eve,{label}", "name,annotator,captcha_solution"),
        ("{name},{other},{label}", "name,comment,ocrText"),
        ("{name},{other},{label}", "name,comment,验证码内容"),
        ("{name},{other},{label}", "name,label_id,label"),
        ("{name},{other},{label}", "name,captcha_id,captcha_solution"),
        ("{name},200,{label}", "name,code,captcha_solution"),
        ("{name},{label},{other}", "name,label,ocr_text"),
        ("{name},100,60,{label}", ""),
        ("{name},{n}.5,{label}", ""),
        ("{label},{name},train", ""),
        ("{name},2024-05-06 10:10:{n},{label}", ""),
        ("{n},{name},{label}", "\ufeffid,file,what"),
        ("{name},path/{name},{label}", ""),
        ("{name},{label},{label}", ""),
        ("{name};{other};{label}", "sep=;\nfile;comment;label"),
    ],
)
def test_column_of_labels_is_found(line: str, header: str) -> None:
    assert labels_in(read(rows(line, header))) == EXPECTED


@pytest.mark.parametrize(
    ("line", "header", "cause"),
    [
        (
            "{name},{other},{label}",
            "name,first,second",
            "it is not clear whether the labels are in 'first' or 'second'",
        ),
        (
            "{name},{label},{other}",
            "",
            f"it is not clear whether the labels are in column 2 ('{LABELS[0]}') or column 3",
        ),
        ("{name},{label},{other}", "name,label,text", "it is not clear whether the labels are in 'label' or 'text'"),
        ("{name},100,60", "name,width,height", "no labels seem to be in 'width' or 'height'"),
    ],
)
def test_columns_that_may_all_or_none_be_labels_are_named(line: str, header: str, cause: str) -> None:
    table = read(rows(line, header))
    assert table.cause.startswith(cause)
    assert table.cause.endswith("call the right column or key 'label'")
    assert (table.labels, set(table.unclear.values())) == ({}, {"no label in labels.csv"})
    assert len(table.unclear) == 30


def test_single_column_is_taken_as_it_is() -> None:
    text = "file,label\n" + "".join(f"{number}.png,{int(number):04d}\n" for number in NUMBERS)
    assert labels_in(read(text))["0007.png"] == ["0007"], "also running numbers"
    assert labels_in(read(rows("{name},01")))["0007.png"] == ["01"]


def test_labels_of_few_characters_are_no_few_values() -> None:
    text = "".join(f"{number}.png,{('00', '01', '10')[int(number) % 3]},eve\n" for number in NUMBERS)
    assert labels_in(read(text))["0004.png"] == ["01"]


def test_column_with_suffixes_names_pictures_whose_labels_are_their_names() -> None:
    index = index_of("2e8j.png", "7xkq.png")
    table = read_table(b"2e8j,2e8j.png\n7xkq,7xkq.png\n", PurePosixPath("a.csv"), index)
    assert labels_in(table) == {"2e8j.png": ["2e8j"], "7xkq.png": ["7xkq"]}


def test_label_with_blanks_is_the_whole_line_unless_a_header_names_the_columns() -> None:
    spread = "".join(f"{name} {' '.join(label)}\n" for name, (label,) in EXPECTED.items())
    assert labels_in(read(spread, "l.txt"))["0003.png"] == [" ".join(LABELS[3])]
    assert labels_in(read(rows("{name} what is {label}"), "l.txt"))["0003.png"] == [f"what is {LABELS[3]}"]
    assert labels_in(read(rows("{name} 100 60 {label}", "file width height label"), "l.txt")) == EXPECTED
    assert labels_in(read(rows("{n} {name} {label}"), "l.txt")) == EXPECTED


SHAPES = {
    "colon": (rows("{name}: {label}"), "a.txt"),
    "equals sign": (rows("{name}={label}"), "a.txt"),
    "line ends of old Macs": (rows("{name},{label}", "file,label").replace("\n", "\r"), "a.csv"),
    "label first, with a path": (rows("{label},pictures/{name}"), "a.txt"),
    "label first, path after a blank": (rows("{label} pictures/{name}"), "a.txt"),
    "addresses": (rows("https://example.com/{name}?t=1,{label}"), "a.csv"),
    "tabs, with an index": (rows("{n}\t{name}\t{label}", "\tfile\ttext"), "a.tsv"),
    "records by name": (
        json.dumps({name: {"label": label, "by": "eve"} for name, (label,) in EXPECTED.items()}),
        "a.json",
    ),
    "records below a key": (
        json.dumps({"data": [{"file": name, "label": label} for name, (label,) in EXPECTED.items()]}),
        "a.json",
    ),
    "one name": ('{"0000.png": "' + LABELS[0] + '"}', "a.json"),
    "lists": (json.dumps([[name, label] for name, (label,) in EXPECTED.items()]), "a.json"),
    "comments of several lines": (rows('{name},{label},"first\nsecond"', "file,label,comment"), "a.csv"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_read(shape: str) -> None:
    text, name = SHAPES[shape]
    expected = EXPECTED if shape != "one name" else {"0000.png": [LABELS[0]]}
    assert labels_in(read(text, name)) == expected


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_read(encoding: str) -> None:
    table = read_table(rows("{name},{label}").encode(encoding), PurePosixPath("a.csv"), INDEX)
    assert labels_in(table) == EXPECTED


def test_numbers_in_json_keep_their_digits() -> None:
    assert labels_in(read('{"0000.png": 1.50, "0001.png": 12}', "a.json")) == {"0000.png": ["1.50"], "0001.png": ["12"]}


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("a.jsonl", 'Unterminated string starting at; a text ends on its line, with "'),
        ("a.csv", "a quote is not closed"),
    ],
)
def test_broken_line_costs_itself_and_is_named(name: str, cause: str) -> None:
    lines = rows("{name},{label}").splitlines()
    if name == "a.jsonl":
        lines = [json.dumps({"file": picture, "label": label}) for picture, (label,) in EXPECTED.items()]
    lines[5] = lines[5][:-2] if name == "a.jsonl" else lines[5].replace(",", ',"')
    table = read("\n".join(lines), name)
    assert labels_in(table) == {picture: label for picture, label in EXPECTED.items() if picture != "0005.png"}
    assert table.broken == {6: cause}


def test_quotes_that_hold_line_ends_by_mistake_tear_no_label() -> None:
    lines = rows("{name},{label}").splitlines()
    lines[28:] = [lines[28].replace(",", ',"'), lines[29] + '"']
    table = read("\n".join(lines))
    assert labels_in(table)["0029.png"] == [LABELS[29] + '"']
    assert table.broken == {29: "a quote is not closed"}


def test_records_of_pictures_and_of_labels_apart_are_no_table() -> None:
    images = [{"id": number, "file_name": name} for number, name in enumerate(EXPECTED)]
    captions = [{"image_id": number, "caption": label} for number, (label,) in enumerate(EXPECTED.values())]
    table = read(json.dumps({"images": images, "annotations": captions}), "coco.json")
    assert table.labels == {}
    assert table.cause.startswith("no labels seem to be in column 1 ('images') or 'id' or ")


def test_names_without_suffixes_are_mentioned_where_most_are() -> None:
    text = json.dumps({name.removesuffix(".png"): label for name, (label,) in EXPECTED.items()})
    assert len(read(text[:-1], "a.json").unclear) == 30
    assert read('{"0007": 60,', "a.json").unclear == {}, "a number"


def test_picture_of_two_rows_has_the_labels_of_both() -> None:
    assert labels_in(read("0000.png,2e8j\n0000.png,7xkq\n0000.png,2e8j\n")) == {"0000.png": ["2e8j", "7xkq"]}
    assert labels_in(read('{"0000.png": "2e8j", "0000.png": "7xkq"}', "a.json")) == {"0000.png": ["2e8j", "7xkq"]}


@pytest.mark.parametrize(
    ("text", "name", "cause"),
    [
        (
            json.dumps(dict.fromkeys(EXPECTED, "2e8j"))[:-1] + ",}",
            "a.json",
            "not JSON: line 1, column 601: Expecting property name enclosed in double quotes; "
            "take out the comma before it",
        ),
        (rows("'{name}','{label}'"), "a.csv", "the text names pictures, but no row does"),
        (rows("{name} is one of them, and so on") + "more\n" * 40, "a.txt", "the text names pictures, but no row does"),
    ],
)
def test_table_that_cannot_be_read_leaves_the_pictures_that_it_mentions_unclear(
    text: str, name: str, cause: str
) -> None:
    table = read(text, name)
    assert (table.labels, table.cause, table.mentioned) == ({}, cause, True)
    assert len(table.unclear) == 30


def test_text_in_no_known_encoding_says_so_and_its_names_are_found() -> None:
    data = rows("{name},{label}").encode() + b"\xff\xff\0"
    table = read_table(data, PurePosixPath("a.csv"), INDEX)
    assert table.cause == "the file is no text in UTF-8, UTF-16 or GB 18030: save it as UTF-8"
    assert len(table.unclear) == 30


@pytest.mark.parametrize(
    ("text", "name", "cause"),
    [
        (rows("{name}"), "a.txt", "a list of names without labels"),
        (rows("{name}", "file"), "a.csv", "a list of names without labels"),
        (rows("/data/pictures/{name}"), "a.lst", "a list of names without labels"),
        (json.dumps(list(EXPECTED)), "a.json", "a list of names without labels"),
        ("", "a.csv", "the file is empty"),
        ("numpy\npillow\n", "a.txt", "no row names a picture"),
        ('{"width": 100, "height": 60}', "a.json", "no row names a picture"),
    ],
)
def test_files_that_say_nothing_of_labels_leave_no_picture_unclear(text: str, name: str, cause: str) -> None:
    table = read(text, name)
    assert (table.labels, table.unclear, table.cause) == ({}, {}, cause)


def test_prose_is_no_table() -> None:
    text = "The pictures of 2024.\nNames such as 0000.png are numbers.\nHave fun.\n"
    table = read(text, "README.txt")
    assert (table.labels, list(map(str, table.unclear)), table.mentioned) == ({}, ["0000.png"], True)


KEYS = CHANCE.sample(range(30), 30)
PLAIN = index_of(*(f"{number}.png" for number in range(30)))
BY_KEY = {f"{key}.png": [label] for key, label in zip(KEYS, LABELS, strict=True)}
NUMBERED = [f"{number:02d}" for number in CHANCE.sample(range(30), 30)]  # labels that may be names


def read_keys(line: str, header: str = "", name: str = "labels.csv", labels: list[str] = LABELS) -> Table:
    """A table of pictures that are named by keys without suffixes, in the order of no other column."""
    fields = enumerate(zip(KEYS, labels, strict=True))
    lines = [line.format(n=n, m=n + 1, key=key, label=label) for n, (key, label) in fields]
    return read_table("\n".join([header, *lines] if header else lines).encode(), PurePosixPath(name), PLAIN)


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("{n},{key},{label}", ",id,label"),
        ("{n},{key},{label}", ",filename,label"),
        ("{n},{key},{label}", "no,id,label"),
        ("{m},{key},{label}", "#,key,label"),
        ("{n},{key},{label}", "Unnamed: 0,imageId,text"),
        ("{n},{key},{label}", "id,picture,label"),
        ("{n},{key},{label}", ""),
        ("{label},{key},{n}", "label,image_id,index"),
        ("{n}\t{key}\t{label}", ""),
    ],
)
def test_numbers_of_rows_are_not_taken_for_names(line: str, header: str) -> None:
    assert labels_in(read_keys(line, header, "labels.tsv" if "\t" in line else "labels.csv")) == BY_KEY


def test_numbers_of_rows_are_no_names_where_a_picture_is_missing() -> None:
    table = read_keys("{n},{key},{label}", ",id,label").labels
    fewer = index_of(*(f"{number}.png" for number in range(30) if number != KEYS[3]), "30.png")
    lines = [f"{n},{key},{label}" for n, (key, label) in enumerate(zip(KEYS, LABELS, strict=True))]
    text = "\n".join([",id,label", *lines, "30,31,zzzz"])
    found = read_table(text.encode(), PurePosixPath("a.csv"), fewer).labels
    assert found == {picture: labels for picture, labels in table.items() if picture.stem != str(KEYS[3])}


def test_column_of_labels_is_not_taken_for_names() -> None:
    index = index_of(*(f"{number:02d}.png" for number in range(30)))
    rows = [f"{label},{number:02d}" for number, label in enumerate(NUMBERED)]
    for header in ("label,filename", "captcha_solution,number"):
        table = read_table("\n".join([header, *rows]).encode(), PurePosixPath("a.csv"), index)
        assert labels_in(table) == {f"{number:02d}.png": [label] for number, label in enumerate(NUMBERED)}


@pytest.mark.parametrize(
    ("line", "header", "which"),
    [
        ("{key},{label}", "", "column 1 ('{0}') or column 2 ('{1}')"),
        ("{key},{label},eve", "first,second,by", "'first' or 'second'"),
        ("{n},{label}", "", "column 1 ('0') or column 2 ('{1}')"),
    ],
)
def test_table_of_which_two_columns_may_be_names_is_refused(line: str, header: str, which: str) -> None:
    table = read_keys(line, header, labels=[str(int(label)) for label in NUMBERED])
    assert table.labels == {}
    which = which.format(KEYS[0], int(NUMBERED[0]))
    assert table.cause == (
        f"it is not clear which column names the pictures, {which}: call the right column or key 'file'"
    )
    assert set(table.unclear.values()) == {"no label in labels.csv"}
    assert len(table.unclear) == 30


def test_name_between_blanks_is_no_part_of_a_label() -> None:
    assert labels_in(read_keys("{n} {key}.png {label}", name="a.txt")) == BY_KEY


def test_keys_of_json_are_names_also_where_labels_may_be() -> None:
    labels = {str(key): str(int(label)) for key, label in zip(KEYS, NUMBERED, strict=True)}
    table = read_table(json.dumps(labels).encode(), PurePosixPath("a.json"), PLAIN)
    assert labels_in(table) == {f"{key}.png": [label] for key, label in labels.items()}


COLUMNS = {
    "objects": {"file": {str(n): f"{key}.png" for n, key in enumerate(KEYS)}, "label": dict(enumerate(LABELS))},
    "without suffixes": {"id": dict(enumerate(map(str, KEYS))), "label": dict(enumerate(LABELS))},
    "names as the index": {
        "label": {f"{key}.png": label for key, label in zip(KEYS, LABELS, strict=True)},
        "length": {f"{key}.png": 4 for key in KEYS},
    },
    "lists": {"file": [f"{key}.png" for key in KEYS], "label": LABELS},
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_json_by_columns_is_read(kind: str) -> None:
    table = read_table(json.dumps(COLUMNS[kind]).encode(), PurePosixPath("a.json"), PLAIN)
    assert labels_in(table) == BY_KEY


def test_json_by_columns_of_one_row_gives_no_name_of_a_column() -> None:
    text = '{"file": {"0": "7.png"}, "label": {"0": "2e8j"}}'
    assert labels_in(read_table(text.encode(), PurePosixPath("a.json"), PLAIN)) == {"7.png": ["2e8j"]}


@pytest.mark.parametrize(
    ("shape", "left_off"),
    [
        ("{}.0", ["'.0' after labels (leading zeros may be lost)"]),
        ('="{}"', ["'=' and quotes around labels"]),
        ("'{}", ["an apostrophe before labels"]),
        ("'{}'", ["quotes around labels"]),
        ("“{}”", ["quotes around labels"]),
        ('"{}",', ["a comma or semicolon after labels", "quotes around labels"]),
        ("['{}']", ["brackets around labels", "quotes around labels"]),
        ("b'{}'", ["quotes around labels"]),
    ],
)
def test_what_programs_put_around_labels_is_left_off(shape: str, left_off: list[str]) -> None:
    labels = [f"{number:04d}" for number in CHANCE.sample(range(10_000), 29)]
    assert unwrap([*map(shape.format, labels), "17,5"]) == ([*labels, "17,5"], left_off)
    few = [shape.format(labels[0]), *labels[1:]]
    assert unwrap(few) == ((labels, left_off) if shape.startswith("=") else (few, []))


def test_labels_that_look_a_little_like_that_stay() -> None:
    labels = ["1.50", "12", "3+8=?", "'", '"', "a'b", "2,5", "", "=7", "[a]"]
    assert unwrap(labels) == (labels, [])
    assert unwrap([]) == ([], [])
