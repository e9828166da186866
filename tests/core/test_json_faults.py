"""What people write for JSON: one line with its place, and the way out."""

from pathlib import Path

import pytest

from cnnlib.core.errors import ConfigError
from cnnlib.core.files import read_json
from cnnlib.core.printable import is_obeyed

COMMENT = "JSON has no comments; take out from # on, here and in the other lines"
SLASHES = COMMENT.replace("#", "//")
WORDS, NONE = "JSON writes true, false and null in lower case", "JSON writes null"
QUOTES, COMMA = 'write keys and texts in double quotes, "like this"', "take out the comma before it"
ENGLISH, NUMBERS, END = (
    "write the signs of the English keyboard",
    "write numbers as 0.99 or 100",
    "a text ends on its line",
)
FAULTS = {
    '{"a": 1, # one\n"b": 2}': COMMENT,
    '{"a": 1 # one\n}': COMMENT,
    '# about\n{"a": 1}': COMMENT,
    '{"a": 1} # end': COMMENT,
    '{ # begin\n"a": 1}': COMMENT,
    '{"a": # one\n1}': COMMENT,
    '{"a": [1, 2, # two\n3]}': COMMENT,
    '{"a": 1, // one\n"b": 2}': SLASHES,
    '{"a": 1 // one\n}': SLASHES,
    '{"a": 1, /* one */ "b": 2}': SLASHES.replace("//", "/*"),
    '{"a": True}': WORDS,
    '{"a": False, "b": 1}': WORDS,
    '{"a": TRUE}': WORDS,
    '{"a": None}': NONE,
    '{"a": yes}': "write true or false",
    "{'a': 1}": QUOTES,
    "{\"a\": 'x'}": QUOTES,
    '{"a": r"x"}': QUOTES,
    '{"a": """x"""}': "write , between the lines",
    "{“a”: 1}": QUOTES,
    '{"a": ‘x’}': QUOTES,
    "{a: 1}": QUOTES,
    '{"a": png}': QUOTES,
    '{"a": 1,}': COMMA,
    '{"a": 1,\n\n}': COMMA,
    '{"a": [1, 2,]}': COMMA,
    '{"a": 1,, "b": 2}': COMMA,
    '{"a"：1}': ENGLISH,
    '{"a": 1， "b": 2}': ENGLISH,
    '{"a": 1\n"b": 2}': "write , between the lines",
    '{"a" "b"}': "write : between key and value",
    '{"a" = 1}': "write : between key and value",
    '{"a": .5}': NUMBERS,
    '{"a": 1_000}': NUMBERS,
    '{"a": "x\n}': END,
    '{"a": "x': END,
    '{"a": "C:\\Users"}': "write / or \\\\ between folders",
    '{"a": 1': "the file ends too early",
    '{"a": 1}{"b": 2}': "the file holds one {…}, and nothing behind it",
    "": "the file is empty",
    " \n": "the file is empty",
}


@pytest.mark.parametrize("text", FAULTS, ids=ascii)
def test_fault_has_its_place_and_the_way_out(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.json: line \d+, column \d+: not JSON: ") as caught:
        read_json(path)
    message = str(caught.value)
    assert f"; {FAULTS[text]}" in message
    assert not any(map(is_obeyed, message))
