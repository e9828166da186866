"""What server and clients agree on."""

import pytest

from cnnlib.core.api_contract import is_loopback_name


@pytest.mark.parametrize(
    ("name", "loopback"),
    [
        ("localhost", True),
        ("some.localhost", True),
        ("localhost.", True),
        ("127.0.0.1", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", False),
        ("localhost.example", False),
        ("notlocalhost", False),
        ("128.0.0.1", False),
        ("127.0.0.1.example", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_names_of_this_machine_are_known(name: str, loopback: bool) -> None:
    assert is_loopback_name(name) == loopback
