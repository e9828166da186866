"""The pages and pictures that tell the stored results: docs/statistics.md, docs/zoo.md, docs/few_labels.md and
docs/service.md.
"""

import json
from collections.abc import Sequence

from PIL import Image

from cnnlib.core.paths import PROJECT_ROOT
from tests.benchmarks.cells import (
    STATISTICS,
    accuracy,
    accuracy_in_time,
    machines,
    pipeline,
    table,
    trained,
    training_cells,
)
from tests.benchmarks.drawings import draw_curves, draw_labels, draw_samples
from tests.benchmarks.headline import LONG, UPPER_CASE
from tests.benchmarks.runs import RESULTS, WORK, Result, Run, stored
from tests.benchmarks.service_page import service_rows

DOCS = PROJECT_ROOT / "docs"
GENERAL = ("picture_accuracy", "case_ignored", "alphabet_known")  # what is told of the general model
HEAD = "Written by the benchmarks from `tests/benchmarks/results/`; run them again to change this page.\n\n"


def results(prefix: str) -> list[Result]:
    """Stored results whose name starts so, by name."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob(f"{prefix}*.json"))]


def write_pages() -> None:
    """Write every page for which there are results."""
    headline = results("lower-") + results("upper-")
    if headline:
        write_statistics(headline)
    if results("zoo-") or results("general-"):
        write_zoo(results("zoo-"), results("general-"))
    if results("labels-"):
        write_labels(results("labels-"))
    if results("service-"):
        write_service({one["name"].removeprefix("service-"): one for one in results("service-")})


def write_statistics(found: Sequence[Result]) -> None:
    draw_curves(DOCS / "statistics.png", {one["name"]: one["curve"] for one in found})
    text = (
        "# Accuracy and speed on captchas of the `captcha` library\n\n"
        + HEAD
        + "19 of 20 pictures are for training, 5% of those, at most 2,000, for verification; "
        "5,000 unseen pictures are drawn with another seed after the first training. Trainings start from the general "
        "model that was shipped then, which saw none of these pictures, unless the table says otherwise. Pictures: "
        "alphabet, size, version of `captcha`, number. Minutes are those of the steps, without loading and export. "
        "Seconds to 98%: to the first measurement of the verification set at 98% or more, reckoned at the training's "
        "mean pace. Commits name the code that was "
        "trained with.\n\n"
        + table([*STATISTICS], [[cell(one) for cell in STATISTICS.values()] for one in found])
        + "\n![Verification accuracy over steps](statistics.png)\n\n"
        + remaining(LONG, "misread_lower.png")
        + remaining(UPPER_CASE, "misread_upper.png")
        + "".join(map(pipeline, results("speed")))
        + machines(found)
    )
    (DOCS / "statistics.md").write_text(text, encoding="utf-8")


def remaining(run: Run, sheet: str) -> str:
    """What a long training comes to, with a sheet of what it misreads, a file in `docs/`."""
    one = stored(run.name)
    if one is None:
        return ""
    drawn = WORK / run.name / "model" / "report" / "misread.png"
    if drawn.exists():  # on another machine otherwise, and there already
        Image.open(drawn).convert("RGB").quantize(256).save(DOCS / sheet, optimize=True)
    return (
        f"What remains of `{one['look']}`: after {one['step']:,} steps on {one['training_pictures']:,} pictures "
        f"{accuracy(one)} of the unseen ones are read right, and {trained(one)} of those that were trained on. "
        f"The surest of those that are misread:\n\n![Pictures that are misread]({sheet})\n\n"
    )


def write_zoo(trained: Sequence[Result], untrained: Sequence[Result]) -> None:
    by_set = {one["set"]: one for one in trained}
    rows = [
        (one["set"], *(f"{one[key]:.1%}" for key in GENERAL), *training_cells(by_set.get(one["set"])))
        for one in untrained
    ]
    titles = (
        "set",
        "general model alone",
        "case ignored",
        "alphabet known",
        "training pictures",
        "steps",
        "trained (95% interval)",
        "minutes",
        "seconds to 95%",
        "confused",
        "commit",
    )
    draw_samples(DOCS / "zoo.png", [one["set"] for one in untrained], by_set)
    text = (
        "# Accuracy on pictures of real generators\n\n"
        + HEAD
        + "Each set was drawn by the open generator that it is called after, most of its settings its own; the "
        "pictures are not in the repository. The same 400 of each set are read, first by the general model that was "
        "shipped then, which saw none of these generators, as it is: exactly, with upper and lower case taken for the "
        "same, and with the set's alphabet as `char_set`. Then with the default recipe of the code that the commit "
        "names: `verify_and_split_data.py --write-config` proposes the config, `train_model.py` trains on all the "
        "other pictures. Minutes are those of the steps. Seconds to 95%: to the first measurement of the "
        "verification set, 60 to 90 pictures, at 95% or more, reckoned at the training's mean pace; none "
        "where it was never that.\n\n"
        + table(titles, rows)
        + "\n![Three pictures of each set](zoo.png)\n\n"
        + (machines(trained) if trained else "")
    )
    (DOCS / "zoo.md").write_text(text, encoding="utf-8")


def write_labels(found: Sequence[Result]) -> None:
    starts = {"random weights": ["--warm-start", "none"], "general model": ["--warm-start", "model/general"]}
    counts = sorted({one["labels"] for one in found})
    by_set = {
        name: {
            start: {one["labels"]: one for one in found if (one["set"], one["options"]) == (name, options)}
            for start, options in starts.items()
        }
        for name in sorted({one["set"] for one in found})
    }
    rows = [
        (name, start, *(accuracy_in_time(by_count[count]) if count in by_count else "" for count in counts))
        for name, lines in by_set.items()
        for start, by_count in lines.items()
    ]
    draw_labels(DOCS / "few_labels.png", by_set)
    text = (
        "# Accuracy from few labels\n\n"
        + HEAD
        + "The same 400 unseen pictures of each set, read after training on a few labelled ones: from random weights "
        "(`--warm-start none`) and from the general model that was shipped then, which never saw these generators. "
        "Commits, or days, name the code that was trained with: columns of other code are of another recipe, and what "
        "lies between two of them may be the recipe's.\n\n"
        + table(("set", "start", *(f"{count} labels" for count in counts)), rows)
        + "\n![Accuracy over the number of labels](few_labels.png)\n\n"
        + machines(found)
    )
    (DOCS / "few_labels.md").write_text(text, encoding="utf-8")


def write_service(found: dict[str, Result]) -> None:
    text = (
        "# The recognition service in figures\n\n"
        + HEAD
        + "The demonstration's model (network `columns`, pictures of 100×60, ten digits), served by two workers; what "
        "sends the requests runs on the same two cores. Commits name the code that was measured.\n\n"
        + table(("what", "figure", "commit"), service_rows(found))
        + f"\nMachine: {'; '.join(sorted({one['machine'] for one in found.values()}))}.\n"
    )
    (DOCS / "service.md").write_text(text, encoding="utf-8")
