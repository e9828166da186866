"""The map in docs/architecture.md, the contracts of the lint and the code say the same."""

import ast
import re
from functools import cache

import pytest

from cnnlib.core.paths import PROJECT_ROOT
from tests.helpers import run_python

MAP = (PROJECT_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LONGEST_CHAIN = 9  # files that import each other in a row
LAYERS = re.compile(r'containers = \["([a-z.]+)"\]\nlayers = \[\n(.*?)\n\]', re.DOTALL)


def contract(container: str) -> list[list[str]]:
    """The rows of the lint's contract for a package, each a list of modules. (Python 3.10 has no tomllib.)"""
    contracts = dict(LAYERS.findall((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8")))
    return [line.strip(' ",').split(" | ") for line in contracts[container].splitlines()]


def modules() -> dict[str, ast.Module]:
    """The syntax trees of cnnlib's modules by their dotted names."""
    trees = {}
    for path in sorted((PROJECT_ROOT / "cnnlib").rglob("*.py")):
        name = ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts).removesuffix(".__init__")
        trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


def imports(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """The modules of cnnlib that each of them imports."""
    imported: dict[str, set[str]] = {}
    for name, tree in trees.items():
        pairs = [
            (node.module, each.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for each in node.names
        ]
        targets = {f"{module}.{each}" if f"{module}.{each}" in trees else str(module) for module, each in pairs}
        imported[name] = (targets & trees.keys()) - {name}
    return imported


def test_table_of_packages_is_the_contract_of_the_lint() -> None:
    table = MAP.split("| row | what it is for |\n| --- | --- |\n")[1].split("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines()]
    assert rows == contract("cnnlib")


def test_every_module_has_a_row_on_the_map() -> None:
    sections = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=^##)", MAP, re.DOTALL | re.MULTILINE))
    for package, text in sections.items():
        named = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
        files = {path.stem for path in (PROJECT_ROOT / "cnnlib" / package).glob("*.py")} - {"__init__"}
        assert set(named) == files, (
            f"docs/architecture.md, section {package}: expected a row for each module; differ: {set(named) ^ files}"
        )
    folders = {path.parent.name for path in (PROJECT_ROOT / "cnnlib").glob("*/__init__.py")}
    assert sections.keys() == folders, "docs/architecture.md: expected a section for each package"


@pytest.mark.parametrize("package", ["training", "web"])
def test_order_inside_a_package_names_all_of_its_modules(package: str) -> None:
    named = {name for row in contract(f"cnnlib.{package}") for name in row}
    files = {path.stem for path in (PROJECT_ROOT / "cnnlib" / package).glob("*.py")} - {"__init__"}
    assert named == files, (
        f"pyproject.toml, contract of cnnlib.{package}: expected every module; differ: {named ^ files}"
    )


def test_chains_of_imports_are_short_and_have_no_cycle() -> None:
    targets = imports(modules())

    @cache
    def chain(name: str) -> tuple[str, ...]:
        return (name, *max((chain(target) for target in targets[name]), key=len, default=()))

    longest = max(map(chain, targets), key=len)  # a cycle would be a RecursionError
    assert len(longest) <= LONGEST_CHAIN, " > ".join(longest)


LIGHT = (
    "cnnlib",
    "cnnlib.inference.recognizer",
    "cnnlib.web.app",
    "cnnlib.web.captcha_app",
    "cnnlib.client.api_client",
    "cnnlib.network.names",
    "cnnlib.synthesis.generate",
    "cnnlib.synthesis.random_looks",
    "cnnlib.evaluation.diagnosis",
    "cnnlib.data.verify_and_split",
    "webserver_recognize_api",
    "webserver_captcha_image",
    "recognize_local",
    "recognize_online",
    "recognize_time_test",
    "verify_and_split_data",
    "test_batch",
    "train_model",
    "gen_image.gen_sample_by_captcha",
    "gen_image.gen_sample_of_many_looks",
    "gen_image.collect_labels",
)


def test_importing_loads_neither_tensorflow_nor_matplotlib() -> None:
    """One process imports the modules one after the other, and prints the first that loads one of them."""
    code = (
        "import sys, importlib\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    heavy = {'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()\n"
        "    if heavy: sys.exit(f'{name} loads {heavy}')"
    )
    run = run_python("-c", code, *LIGHT, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_server_loads_only_packages_of_its_requirements() -> None:
    lines = (PROJECT_ROOT / "requirements.txt").read_text().splitlines()
    others = {re.split("[=;]", line)[0] for line in lines if line[:1].isalpha()}
    assert {"requests", "tensorflow"} < others
    code = (
        "import sys, webserver_recognize_api; from importlib.metadata import packages_distributions as made_by;"
        "known = made_by(); print(*{each for name in sys.modules for each in known.get(name, ())})"
    )
    loaded = run_python("-c", code).stdout.split()
    assert "Flask" in loaded or "flask" in loaded
    assert others.isdisjoint(map(str.lower, loaded))
