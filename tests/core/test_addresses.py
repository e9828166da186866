import pytest

from cnnlib.core.addresses import without_user


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://ann:sesame@host:81/c", "http://host:81/c"),
        ("http://ann@host", "http://host"),
        ("http://ann:se@same@host/", "http://host/"),
        ("https://host/@ann?mail=ann@host", "https://host/@ann?mail=ann@host"),
        ("http://ann:sesame@[::1]:6000/b", "http://[::1]:6000/b"),
        ("http://ann:sesame@[::1/b", "http://[::1/b"),
        ("//ann:sesame@host/b", "//host/b"),
        (
            "Invalid URL 'http://ann:sesame@/': no host, unlike http://b:c@host",
            "Invalid URL 'http:///': no host, unlike http://host",
        ),
        ("no address, ann@host", "no address, ann@host"),
        ("", ""),
    ],
)
def test_user_and_password_of_addresses_are_left_out(text: str, shown: str) -> None:
    assert without_user(text) == shown
