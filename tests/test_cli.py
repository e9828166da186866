import os
import signal
import subprocess
import sys
from argparse import ArgumentTypeError
from importlib import import_module
from pathlib import Path

import pytest

from cnnlib.cli import DONE, UNUSABLE, argument_parser, script, server_parser, web_address, web_origin
from cnnlib.config import SAMPLE_CONFIG
from cnnlib.core.errors import ConfigError
from cnnlib.core.paths import PROJECT_ROOT


def test_fault_is_its_message_and_status_two(capsys: pytest.CaptureFixture[str]) -> None:
    @script
    def main(_argv: list[str] | None = None) -> int:
        raise ConfigError("a.json: wrong")

    assert main() == UNUSABLE
    assert capsys.readouterr().err == "a.json: wrong\n"


def test_ctrl_c_is_the_status_that_shells_expect() -> None:
    @script
    def main(_argv: list[str] | None = None) -> int:
        raise KeyboardInterrupt

    assert main() == 128 + signal.SIGINT


def test_arguments_and_status_are_passed_on() -> None:
    @script
    def main(argv: list[str] | None = None) -> int:
        assert argv == ["--x"]
        return DONE

    assert main(["--x"]) == DONE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_output_to_a_full_disk_is_status_two() -> None:
    code = "from cnnlib.cli import script; raise SystemExit(script(lambda _: print('a line') or 0)())"
    with Path("/dev/full").open("w") as full:
        run = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, stdout=full, stderr=subprocess.PIPE)
    said = b"input or output: No space left on device; free some space there, and run it again"
    assert (run.returncode, run.stderr.splitlines()[0]) == (2, said)


@pytest.mark.skipif(os.name != "posix", reason="closes standard output as shells of POSIX do")
def test_script_without_standard_output_has_its_status() -> None:
    code = "from cnnlib.cli import script; raise SystemExit(script(lambda _: 0)())"
    run = subprocess.run(
        ["sh", "-c", f'exec "{sys.executable}" -c "{code}" >&-'], cwd=PROJECT_ROOT, capture_output=True
    )
    assert (run.returncode, run.stderr) == (0, b"")


def test_fault_of_a_move_names_both_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @script
    def main(_argv: list[str] | None = None) -> int:
        (tmp_path / "a").rename(tmp_path / "b" / "c")
        return DONE

    assert main() == UNUSABLE
    assert capsys.readouterr().err == f"{tmp_path / 'a'} to {tmp_path / 'b' / 'c'}: No such file or directory\n"


def test_error_in_the_program_itself_is_not_swallowed() -> None:
    @script
    def main(_argv: list[str] | None = None) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()


def test_help_names_the_default_config(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        argument_parser("What it does.").parse_args(["--help"])
    out = capsys.readouterr().out
    assert "What it does." in out
    assert "(default: conf/sample_config.json)" in out


def test_web_origin_is_as_browsers_send_it() -> None:
    assert web_origin("https://example.org:8443/") == "https://example.org:8443"
    assert web_origin("https://Example.org:443") == "https://example.org"
    assert web_origin("http://example.org:443") == "http://example.org:443"
    assert web_origin("https://example.org:") == web_origin("https://example.org:0443") == "https://example.org"
    assert web_origin("http://[::1]:8080") == "http://[::1]:8080"
    origins = ("*", "example.org", "https://example.org/page", "ftp://example.org", "https://example.org:99999")
    for wrong in (*origins, "https://me@example.org", "https://a b", "https://exämple.org", "https://a#b"):
        with pytest.raises(ArgumentTypeError, match="expected a web origin such as"):
            web_origin(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "127.0.0.1:6000/b",
        "ftp://host/b",
        "http:///b",
        "http://host:70000/b",
        "http://host:0/",
        "http://[::1/b",
        "http://a b/",
        "http://a\n/b",
        "http://a..b/",
    ],
)
def test_address_has_a_host_and_a_port_that_exists(wrong: str) -> None:
    assert web_address("http://127.0.0.1:6000/b") == "http://127.0.0.1:6000/b"
    with pytest.raises(ArgumentTypeError, match=r"expected an address such as http://127\.0\.0\.1:6000/b; got"):
        web_address(wrong)


def test_config_may_be_given_by_place_or_by_option() -> None:
    parser = argument_parser("What it does.")
    assert parser.parse_args(["a.json"]) == parser.parse_args(["--config", "a.json"])
    assert parser.parse_args([]).config == SAMPLE_CONFIG


def test_config_by_place_and_by_option_at_once_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        argument_parser("What it does.").parse_args(["a.json", "--config", "b.json"])
    assert "expected PATH once; got a.json and b.json" in capsys.readouterr().err


def test_server_takes_configs_by_place_and_by_option() -> None:
    parser = server_parser("What it does.")
    assert parser.parse_args(["a", "b"]).config == parser.parse_args(["--config", "a", "--config", "b"]).config
    assert parser.parse_args(["--config", "a", "b"]).config == [Path("a"), Path("b")]
    assert parser.parse_args([]).config == []


@pytest.mark.parametrize("empty", ["", " "])
@pytest.mark.parametrize(
    "arguments",
    [
        ("verify_and_split_data", "--import"),
        ("verify_and_split_data", "--write-config"),
        ("verify_and_split_data", "--config"),
        ("verify_and_split_data",),
        ("train_model", "--recognize"),
        ("recognize_local", "--image"),
        ("label_pictures",),
        ("webserver_recognize_api",),
        ("webserver_recognize_api", "--config"),
    ],
)
def test_empty_path_is_refused_by_every_script(
    arguments: tuple[str, ...], empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *options = arguments
    with pytest.raises(SystemExit, match="2"):
        import_module(name).parser().parse_args([*options, empty])
    assert "expected a path; got an empty text; is a variable of the shell not set?" in capsys.readouterr().err
