"""What is left when an operation on a file fails, or the process is killed there: every point of all that writes."""

import os
import platform
import re
import subprocess
from pathlib import Path

from tests.benchmarks.runs import WORK, Result, store, stored
from tests.fault_cases import BrokenError, Case, prepared
from tests.fault_injection import FAULTS, Point

PREFIX = "faults-"
STRIDES = {"train": 3}  # a whole training takes seconds: each of its points is tried with one of the faults, in turn
UNREPEATABLE = "/events.out."  # names of TensorBoard's files have the time and the process in them


def name_of(case: str) -> str:
    """The name of a case's result."""
    return PREFIX + case.replace(" ", "-")


def measure(name: str) -> Result:
    """Stored, or measured now."""
    found = stored(name_of(name))
    if found is not None:
        return found
    folder = WORK / name_of(name)
    with prepared(name, folder) as (case, points):
        tried = in_turn([point for point in points if UNREPEATABLE not in point.path], STRIDES.get(name, 1))
        broken = {fault: [text for point in tried[fault] if (text := attempt(case, point, fault))] for fault in FAULTS}
        systems = sorted({file_system(place) for place in case.folders})
    counts = {fault: len(tried[fault]) for fault in FAULTS}
    counted = {"case": name, "points": len(points), "tried": counts, "broken": broken}
    return store(name_of(name), counted | {"file_systems": systems, "kernel": platform.release().split("-")[0]})


def in_turn(points: list[Point], stride: int) -> dict[str, list[Point]]:
    """The points that each fault is tried at: every one, or one of `stride`, another one for each fault."""
    return {fault: points[number % stride :: stride] for number, fault in enumerate(FAULTS)}


def attempt(case: Case, point: Point, fault: str) -> str:
    """What does not hold after a fault at a point, or nothing."""
    try:
        case.try_point(point, fault, case.folder.with_name("strace.log"))
    except BrokenError as error:
        text = f"{point}: {error}".replace(str(case.folder), "FOLDER")
        print(fault, text, flush=True)
        return text
    return ""


def file_system(folder: Path) -> str:
    """The kind of the file system that a folder is on, such as ext4."""
    command = ["stat", "--file-system", "--format=%T", str(folder)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"LC_ALL": "C"}).stdout
    return re.sub(r"^ext2/ext3$", "ext4", said.strip())  # one number stands for all three
