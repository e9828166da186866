"""Every place that lists the networks names each of them. CONTRIBUTING.md says what a new network needs."""

import json
import re

import pytest

from cnnlib.codec.images import Shape
from cnnlib.config import SAMPLE_CONFIG
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.network.architectures import network_class
from cnnlib.network.names import NETWORKS
from tests.network.test_architectures import PARAMETERS, ROWS

every_network = pytest.mark.parametrize("name", NETWORKS)


def rows(page: str, column: int) -> set[str]:
    """The names in backticks in a column of the tables of a page in docs/."""
    lines = (PROJECT_ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    cells = [line.split(" | ") for line in lines if line.startswith("|")]
    return {name for row in cells if len(row) > column for name in re.findall(r"`(\w+)`", row[column])}


@every_network
def test_class_has_the_name_of_the_list(name: str) -> None:
    network = network_class(name)(Shape(16, 32), classes=3, length=2)
    reason = "as messages and warm starts name it"
    assert network.name == name, f"cnnlib/network/names.py: expected the key '{network.name}', {reason}; got '{name}'"


@every_network
def test_sizes_are_tested(name: str) -> None:
    for table, what in (("PARAMETERS", PARAMETERS), ("ROWS", ROWS)):
        assert name in what, f"tests/network/test_architectures.py: {table}: expected an entry for '{name}'"


@every_network
def test_schema_has_the_network(name: str) -> None:
    schema = json.loads(SAMPLE_CONFIG.with_suffix(".schema.json").read_text(encoding="utf-8"))
    names = schema["properties"]["network"]["enum"]
    remedy = "write it with: python -m cnnlib.config"
    assert name in names, f"conf/sample_config.schema.json: key 'network': expected '{name}' too; got {names}; {remedy}"


@every_network
def test_page_on_training_describes_the_network(name: str) -> None:
    assert name in rows("training.md", 0), f"docs/training.md, Networks: expected a row that starts with `{name}`"


@every_network
def test_page_on_configuration_names_the_network(name: str) -> None:
    lines = (PROJECT_ROOT / "docs" / "configuration.md").read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith("| `network` |")]
    assert f"`{name}`" in row, f"docs/configuration.md, row of the key `network`: expected `{name}` among the values"


def test_no_place_names_a_network_that_is_gone() -> None:
    for place in (PARAMETERS, ROWS):
        assert place.keys() <= NETWORKS.keys(), "tests/network/test_architectures.py: remove the networks that are gone"
