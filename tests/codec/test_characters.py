from cnnlib.codec.characters import alphabet_faults, is_visible, normalise


def test_faulty_alphabets_are_described() -> None:
    assert alphabet_faults("ab") == []
    assert alphabet_faults("a") == ["expected at least 2 characters; got 1"]
    assert alphabet_faults(["a", "bc", "\n"]) == ["expected single printable characters; got 'bc', '\\n'"]
    assert alphabet_faults("abab") == ["expected each character once; got more than one of a b"]


def test_characters_of_several_code_points_are_composed() -> None:
    assert normalise("e\u0301a") == "éa"
    assert normalise("\u1112\u1161\u11ab") == "한"  # as older macOS writes names


def test_control_and_format_characters_are_invisible() -> None:
    assert all(map(is_visible, "a天 é"))
    assert not any(map(is_visible, "\n\0\u200b\ud800"))
