"""Cases of what writes, for the tests in which that fails or is killed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import shared
from tests.fault_cases import CASES, Case, UnavailableError, prepared, trained_models
from tests.fault_injection import Point, run, run_here

Prepare = Callable[[str], tuple[Case, list[Point]]]
# They start processes. A fork of one with TensorFlow's threads, as this one may be, can hang.
STARTING_OTHERS = ("generate", "table of the stress test")


def make_models(folder: Path) -> None:
    with trained_models(folder):
        return


@pytest.fixture(scope="module")
def prepare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepare]:
    """Prepares a case in a folder of its own, once; skips the test where this system lacks something that it needs.

    Runs without a fault are calls in this process. The benchmark starts a process for each.
    """
    cases: dict[str, tuple[Case, list[Point]]] = {}
    with ExitStack() as stack:

        def make(name: str) -> tuple[Case, list[Point]]:
            folder = tmp_path_factory.mktemp("case")
            if CASES[name][1] is trained_models:
                models, _ = shared(tmp_path_factory, "fault_models", make_models)
                (folder / "models").symlink_to(models / "models")
            try:
                return stack.enter_context(prepared(name, folder, run if name in STARTING_OTHERS else run_here))
            except UnavailableError as error:
                pytest.skip(str(error))

        def made_once(name: str) -> tuple[Case, list[Point]]:
            if name not in cases:
                cases[name] = make(name)
            return cases[name]

        yield made_once
