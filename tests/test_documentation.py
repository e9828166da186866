"""README and docs/ against the code: commands, requests, Python, JSON, links, and the length of sentences.

A block of `sh` holds commands alone. In a block of `console`, commands start with `$ ` and the rest is output.
"""

import ast
import importlib
import importlib.util
import itertools
import json
import re
import shlex
import shutil
import subprocess
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest

from cnnlib.commands import SCRIPTS
from cnnlib.config import load_captcha_config
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.training import cluster
from cnnlib.web.captcha_app import create_captcha_app
from cnnlib.web.openapi import api_description

README, CHINESE = PROJECT_ROOT / "README.md", PROJECT_ROOT / "README.zh-CN.md"
DOCS = sorted((PROJECT_ROOT / "docs").rglob("*.md"))
PAGES = [README, CHINESE, *DOCS]
OTHERS = [PROJECT_ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "conf/README.md")]
LANGUAGES = {"sh", "console", "python", "json", "text"}
FENCED = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)")
LONG_WORDS = 30
every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(PROJECT_ROOT).as_posix())


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page, of some languages or all."""
    all_blocks = [Block(*match.groups()) for match in FENCED.finditer(read(path))]
    return [block for block in all_blocks if not languages or block.language in languages]


def commands(path: Path) -> list[str]:
    """The commands in the blocks of a page, without comments."""
    return [command for block in blocks(path, "sh", "console") for command in commands_in(block)]


def commands_in(block: Block) -> Iterator[str]:
    for line in block.text.replace("\\\n", " ").splitlines():
        typed = line if block.language == "sh" else line.removeprefix("$ ") if line.startswith("$ ") else ""
        command = re.sub(r"(^|\s+)#.*", "", typed).strip()
        if command:
            yield command


def inline_commands(path: Path) -> list[str]:
    """The commands between the words of a page that are whole."""
    spans = INLINE.findall(FENCED.sub("", read(path)))
    return [span for span in spans if re.match(r"(python3?|make|cnnlib|pip) |\S+\.py ", span) and "…" not in span]


def check_command(command: str) -> None:
    """Fail unless the command is of a known kind and the code knows what it names."""
    words = shlex.split(command)
    while "=" in words[0]:  # CAPTCHA_API_TOKEN=... before a command
        words = words[1:]
    name = Path(words[0]).name
    if name.endswith(".py"):
        return check_script(words[0], words[1:])
    assert name in KINDS, f"a command of an unknown kind: {command}"
    return KINDS[name](words[1:])


def check_python(arguments: Sequence[str]) -> None:
    if arguments[0] != "-m":
        return check_script(arguments[0], arguments[1:])
    name, *rest = arguments[1:]
    if name in ("pip", "cnnlib"):
        return KINDS[name](rest)
    if name == "cnnlib.training.cluster":
        return check_command(shlex.join(cluster.parser().parse_args(rest).command))
    assert name in ("venv", "pytest", "http.server"), f"a module that nothing checks: {name}"
    return None


def check_script(name: str, arguments: Sequence[str]) -> None:
    """The arguments of a script by its own parser, and the shipped files among them."""
    assert (PROJECT_ROOT / name).is_file(), f"no script {name}"
    try:
        parse(load(name), arguments)
    except SystemExit as error:
        raise AssertionError(f"{name} refuses: {shlex.join(arguments)}") from error
    check_files(argument for argument in arguments if argument.startswith("conf/"))


class ParsedError(Exception):
    """The arguments were understood."""


def parse(script: ModuleType, arguments: Sequence[str]) -> None:
    """Parse arguments by the `parser` of a script. A tool has none: its `main` is stopped once it has parsed them."""
    if hasattr(script, "parser"):
        script.parser().parse_args(arguments)
        return
    parse_args = ArgumentParser.parse_args

    def parse_and_stop(parser: ArgumentParser, words: Sequence[str]) -> None:
        parse_args(parser, words)
        raise ParsedError

    with mock.patch.object(ArgumentParser, "parse_args", parse_and_stop), pytest.raises(ParsedError):
        script.main.__wrapped__(arguments)


def check_files(names: Iterable[str]) -> None:
    """Fail unless the files are there, but for those that a user writes."""
    missing = [name for name in names if not re.match(r"conf/my_\w+\.json$", name)]
    missing = [name for name in missing if not (PROJECT_ROOT / name).exists()]
    assert not missing, f"no such files: {missing}"


@cache
def load(name: str) -> ModuleType:
    """The module of a script."""
    path = PROJECT_ROOT / name
    spec = importlib.util.spec_from_file_location(f"documented_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_cnnlib(arguments: Sequence[str]) -> None:
    if arguments not in ([], ["--version"]):
        assert arguments[0] in SCRIPTS, f"cnnlib has no command {arguments[0]}"
        check_script(SCRIPTS[arguments[0]], arguments[1:])


def check_make(arguments: Sequence[str]) -> None:
    targets = set(re.findall(r"^([\w-]+):", read(PROJECT_ROOT / "Makefile"), re.MULTILINE))
    unknown = {word for word in arguments if "=" not in word} - targets
    assert not unknown, f"the Makefile has no target {unknown}"


def check_pip(arguments: Sequence[str]) -> None:
    """Requirements files, extras of this project, and other packages by name."""
    command, *words = arguments
    assert command == "install"
    files = following("-r", words)
    check_files(installed(name) for name in files)
    for word in set(words) - {"-r", ".", "gunicorn", *files}:
        assert word.startswith(".["), f"a package that nothing checks: {word}"
        assert word[2:-1] in extras(), f"no extra {word}"


def following(option: str, words: Sequence[str]) -> list[str]:
    """The values of an option that is named before each."""
    return [word for before, word in itertools.pairwise(words) if before == option]


def installed(name: str) -> str:
    """A path as it is here, of a project that was put into /opt/captcha."""
    return name.removeprefix("/opt/captcha/")


def extras() -> list[str]:
    """The extras of the package."""
    text = read(PROJECT_ROOT / "pyproject.toml")
    section = re.search(r"^\[project\.optional-dependencies\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^([\w-]+) *=", section[1], re.MULTILINE) if section else []


def check_curl(arguments: Sequence[str]) -> None:
    """Address, method, fields and options by the description of the API, or the route of the captcha source."""
    (address,) = (word for word in arguments if word.startswith("http://127.0.0.1:"))
    url = urlsplit(address)
    if url.port == 6100:
        config = load_captcha_config(PROJECT_ROOT / "conf" / "captcha_config.json")
        assert url.path in {rule.rule for rule in create_captcha_app(config).url_map.iter_rules()}, address
        return
    assert url.port in (6000, 6001), f"no server has port {url.port}"
    routes = {re.sub(r"{\w+}", r"\\w+", route): methods for route, methods in api_description()["paths"].items()}
    methods = next((methods for route, methods in routes.items() if re.fullmatch(route, url.path)), None)
    assert methods, f"no route {url.path}"
    fields = {field.split("=")[0] for field in following("-F", arguments)}
    method = "post" if fields else "get"
    assert method in methods, f"{url.path} takes no {method}"
    form = methods[method].get("requestBody", {}).get("content", {}).get("multipart/form-data", {})
    assert fields <= set(form.get("schema", {}).get("properties", ())), f"unknown fields among {fields}"
    options = {parameter["name"] for parameter in methods[method].get("parameters", ())}
    assert set(parse_qs(url.query)) <= options, f"unknown options in {address}"


def check_gunicorn(arguments: Sequence[str]) -> None:
    match = re.fullmatch(r"(\w+):(\w+)\((?:'([^']+)')?\)", arguments[-1])
    assert match, f"no application: {arguments[-1]}"
    assert callable(getattr(importlib.import_module(match[1]), match[2]))
    check_files(name for name in [match[3]] if name)


def check_tensorboard(arguments: Sequence[str]) -> None:
    configs = [json.loads(read(path)) for path in (PROJECT_ROOT / "conf").glob("*_config.json")]
    assert arguments[0] == "--logdir"
    assert arguments[1] in {str(config.get("log_dir")).rstrip("/") for config in configs}


def check_docker(arguments: Sequence[str]) -> None:
    files = following("--file", arguments)
    assert files or arguments[0] == "run"
    check_files(files)


def check_copied(arguments: Sequence[str]) -> None:
    check_files(map(installed, arguments[:-1]))


def check_nothing(_: Sequence[str]) -> None:
    """What belongs to the shell and the system: bash has parsed it."""


KINDS: dict[str, Callable[[Sequence[str]], None]] = {
    "python": check_python,
    "python3": check_python,
    "cnnlib": check_cnnlib,
    "make": check_make,
    "pip": check_pip,
    "curl": check_curl,
    "gunicorn": check_gunicorn,
    "tensorboard": check_tensorboard,
    "docker": check_docker,
    "cp": check_copied,
    "for": check_nothing,
    "systemctl": check_nothing,
}


@every_page
def test_blocks_have_a_known_language(path: Path) -> None:
    for block in blocks(path):
        assert block.language in LANGUAGES, block.text
        assert block.language == "console" or not re.search(r"^\$ ", block.text, re.MULTILINE), block.text
    assert read(path).count("```") == 2 * len(blocks(path)), "a block that is not closed"


@every_page
def test_commands_exist_with_their_arguments(path: Path) -> None:
    for command in commands(path) + inline_commands(path):
        check_command(command)


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@every_page
def test_bash_understands_the_commands(path: Path) -> None:
    subprocess.run(["bash", "-n"], input="\n".join(commands(path)), text=True, encoding="utf-8", check=True)


@pytest.mark.parametrize(
    "command",
    [
        "python train.py",
        "python train_model.py --wrong",
        "python train_model.py conf/none.json",
        "python tools/ship_model.py model/",
        "cnnlib learn",
        "cnnlib train --wrong",
        "make nothing",
        "pip install -r none.txt",
        'pip install ".[none]"',
        "pip install other",
        "curl http://127.0.0.1:6000/c",
        "curl http://127.0.0.1:6000/b",
        "curl -F image=@captcha.png http://127.0.0.1:6000/b",
        "curl -F image_file=@captcha.png http://127.0.0.1:6000/b?sure=1",
        "curl http://127.0.0.1:6100/",
        "gunicorn webserver_recognize_api:application()",
        "gunicorn \"webserver_recognize_api:create_app('conf/none.json')\"",
        "tensorboard --logdir elsewhere",
        "docker build --file none .",
        "cp /opt/captcha/none /etc",
        "rm --recursive sample",
        "python -m nothing",
    ],
)
def test_wrong_command_is_noticed(command: str) -> None:
    with pytest.raises((AssertionError, AttributeError)):
        check_command(command)


@every_page
def test_names_in_python_blocks_exist(path: Path) -> None:
    for block in blocks(path, "python"):
        check_names(ast.parse(block.text))


def check_names(tree: ast.Module) -> None:
    """Fail unless what is imported, and what is taken from it, is there."""
    imported: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.asname or alias.name: importlib.import_module(alias.name) for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            imported |= {alias.asname or alias.name: getattr(module, alias.name) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported:
            assert hasattr(imported[node.value.id], node.attr), ast.unparse(node)


@pytest.mark.parametrize("code", ["from cnnlib import Nothing", "from cnnlib import Recognizer\nRecognizer.nothing()"])
def test_wrong_python_is_noticed(code: str) -> None:
    with pytest.raises((ImportError, AttributeError, AssertionError)):
        check_names(ast.parse(code))


@every_page
def test_json_is_json_and_answers_are_as_described(path: Path) -> None:
    for block in blocks(path, "json"):
        json.loads(block.text)
    described = set(api_description()["components"]["schemas"]["Reading"]["properties"])
    for block in blocks(path, "console"):
        for line in block.text.splitlines():
            if line.startswith("{"):
                assert json.loads(line).keys() <= described


def test_both_readmes_print_the_same_commands_and_code() -> None:
    assert commands(README) == commands(CHINESE)
    english, chinese = (
        [ast.dump(ast.parse(block.text)) for block in blocks(path, "python")] for path in (README, CHINESE)
    )
    assert english == chinese
    pictures = [re.findall(r"!\[[^\]]*\]\(([^)]+)\)", read(path)) for path in (README, CHINESE)]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("path", PAGES + OTHERS, ids=lambda path: path.relative_to(PROJECT_ROOT).as_posix())
def test_links_lead_to_files_and_headings(path: Path) -> None:
    text = INLINE.sub("", FENCED.sub("", read(path)))
    for target in LINK.findall(text):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        page = path.parent / name if name else path
        assert page.exists(), f"no file {target}"
        assert not anchor or anchor in anchors(page), f"no heading {target}"


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub and mkdocs give to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", read(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_sentences_are_short() -> None:
    for share, pages in ((0.02, [README]), (0.05, [README, *DOCS])):
        all_sentences = [sentence for path in pages for sentence in sentences(read(path))]
        long = [sentence for sentence in all_sentences if len(sentence.split()) > LONG_WORDS]
        message = "\n\n".join([f"{len(long)} of {len(all_sentences)} are long:", *long])
        assert len(long) <= share * len(all_sentences), message


def sentences(text: str) -> list[str]:
    """The sentences of a page, of four words or more, without code, tables, headings and pictures."""
    lines = [line for line in FENCED.sub("", text).splitlines() if not line.startswith(("|", "#", "!"))]
    return [sentence for sentence in re.split(r"(?<=[.!?:])\s+", "\n".join(lines)) if len(sentence.split()) > 3]
