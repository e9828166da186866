"""What is probably wrong in a text that is not JSON, and the way out: people write comments, Python, other quotes."""

import json
import re

DOUBLE_QUOTES = 'write keys and texts in double quotes, "like this"'
COMMA = "take out the comma before it"
# The start of the parser's message, the end of the text before the fault, the text after it, and the way out.
KINDS = (
    ("", "", r"#|//|/\*", "JSON has no comments; take out from {found} on, here and in the other lines"),
    ("Invalid \\", "", "", "write / or \\\\ between folders"),
    ("Invalid control", "", "", 'a text ends on its line, with "'),
    ("Unterminated", "", "", 'a text ends on its line, with "'),
    ("Illegal trailing comma", "", "", COMMA),
    ("", ",", r"[\]}]", COMMA),
    ("", "", ",", COMMA),
    ("", "", r"(true|false|null)\b", "JSON writes true, false and null in lower case"),
    ("", "", r"none\b", "JSON writes null"),
    ("", "", r"(yes|no|on|off)\b", "write true or false"),
    ("", "", r"'|\"\"\"|[rbfu]+['\"]|[“”„‟‘’«»＂＇「」]", DOUBLE_QUOTES),
    ("", "", "[，：；｛｝［］、]", "write the signs of the English keyboard"),
    ("Expecting ',' delimiter", "", '"', "write , between the lines"),
    ("", "", r"[.+]?\d|_\d", "write numbers as 0.99 or 100"),
    ("Expecting ':' delimiter", "", "", "write : between key and value"),
    ("", "", r"[^\W\d]", DOUBLE_QUOTES),
    ("", "", r"[=;(]", "write : between key and value, , between the lines and [ ] around a list"),
    ("Extra data", "", "", "the file holds one {{…}}, and nothing behind it"),
    ("", "^$", "$", "the file is empty"),
    ("", "", "$", "the file ends too early"),
)


def json_fault(error: json.JSONDecodeError) -> str:
    """The parser's message, with the way out where the fault is one that people make."""
    before, after = error.doc[: error.pos].rstrip(), error.doc[error.pos :].lstrip()
    for message, last, first, way_out in KINDS:
        found = re.match(first, after, re.IGNORECASE)
        if error.msg.startswith(message) and found and (not last or re.search(f"{last}$", before)):
            return f"{error.msg}; {way_out.format(found=found[0])}"
    return error.msg
