"""Web addresses in messages."""

import re

USER = re.compile(r"(?<=//)[^/?#\s]*@")


def without_user(text: str) -> str:
    """An address, or a text with some, without user names and passwords, which may be shown to everyone."""
    return USER.sub("", text)
