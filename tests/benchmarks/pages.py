"""The pages and pictures of docs/benchmarks/, written from the stored results."""

import json
from collections.abc import Callable, Sequence

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
from tests.benchmarks.chinese_page import chinese_text
from tests.benchmarks.doctor_page import doctor_text
from tests.benchmarks.drawings import draw_curves, draw_labels, draw_readings, draw_samples
from tests.benchmarks.faults_page import faults_text
from tests.benchmarks.folders_page import folders_text
from tests.benchmarks.forecast_page import forecast_text
from tests.benchmarks.headline import LONG, UPPER_CASE
from tests.benchmarks.hostile_page import hostile_text
from tests.benchmarks.keystrokes_page import keystrokes_text
from tests.benchmarks.memory_page import memory_text
from tests.benchmarks.peers import OURS
from tests.benchmarks.peers_page import peers_text, whole
from tests.benchmarks.replay_page import replay_text
from tests.benchmarks.runs import RESULTS, WORK, Result, Run, stored
from tests.benchmarks.service_page import service_rows
from tests.benchmarks.unlabelled_page import unlabelled_text
from tests.benchmarks.workers_page import workers_text
from tests.benchmarks.zoo import LABELS

DOCS = PROJECT_ROOT / "docs" / "benchmarks"
GENERAL = ("picture_accuracy", "case_ignored", "alphabet_known")  # figures of the general model
HEAD = (
    "The benchmarks write this page from `tests/benchmarks/results/`. To change it, run them again.\n"
    "Commits name the code that was measured.\n\n"
)


# What makes the text of a page, by the beginning of the names of its results, which is the page's name too.
OF_SEVERAL: dict[str, Callable[[str, Sequence[Result]], str]] = {
    "keystrokes": keystrokes_text,
    "doctor": doctor_text,
    "forecast": forecast_text,
    "replay": replay_text,
    "faults": faults_text,
    "chinese": chinese_text,
}
OF_ONE: dict[str, Callable[[str, Result], str]] = {
    "memory": memory_text,
    "folders": folders_text,
    "hostile-requests": hostile_text,
    "workers": workers_text,
}


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
    labelled = results("labels-")
    if labelled:
        write_labels([one for one in labelled if one["labels"] in LABELS])
    if results("unlabelled-"):
        text = unlabelled_text(HEAD, results("unlabelled-"), labelled)
        (DOCS / "unlabelled.md").write_text(text, encoding="utf-8")
    if results(f"peers-{OURS}-"):
        write_peers(results("peers-"), results("general-"))
    for prefix, text_of in OF_SEVERAL.items():
        if found := results(f"{prefix}-"):
            (DOCS / f"{prefix}.md").write_text(text_of(HEAD, found), encoding="utf-8")
    for name, text_of_one in OF_ONE.items():
        for result in results(name):
            (DOCS / f"{name.replace('-', '_')}.md").write_text(text_of_one(HEAD, result), encoding="utf-8")
    if results("service-"):
        write_service({one["name"].removeprefix("service-"): one for one in results("service-")})


def write_statistics(found: Sequence[Result]) -> None:
    draw_curves(DOCS / "statistics.png", found)
    text = (
        "# Accuracy and speed on captchas of the `captcha` library\n\n"
        + HEAD
        + "Of the pictures, 19 of 20 are for training. Of these, 5%, at most 2,000, are the verification set. After "
        "the first training, 5,000 unseen pictures are drawn with another seed.\n\n"
        "Trainings start from the general model of their time, unless the table says otherwise. That model saw none of "
        "these pictures.\n\n"
        "- Pictures: alphabet, size, version of `captcha`, number.\n"
        "- Minutes: those of the steps, without loading and export.\n"
        "- Seconds to 98%: until a measurement of the verification set first gave 98% or more, computed from the mean "
        "pace of the training.\n"
        "- GFLOP/s: both vary with what else the machine does, so the first may be the larger one.\n"
        "- Confused: label→reading, the most frequent ones. ∅ is no character.\n\n"
        + table([*STATISTICS], [[cell(one) for cell in STATISTICS.values()] for one in found])
        + "\n![Share of the verification set that is misread, over steps](statistics.png)\n\n"
        "Both axes are logarithmic. A band reaches from the best to the worst seed.\n\n"
        + remaining(LONG, "misread_lower.png")
        + remaining(UPPER_CASE, "misread_upper.png")
        + "".join(map(pipeline, results("speed")))
        + machines(found)
    )
    (DOCS / "statistics.md").write_text(text, encoding="utf-8")


def remaining(run: Run, sheet: str) -> str:
    """The result of a long training, with a sheet of what it misreads, a file in `DOCS`."""
    one = stored(run.name)
    if one is None:
        return ""
    drawn = WORK / run.name / "model" / "report" / "misread.png"
    if drawn.exists():  # on another machine otherwise, and there already
        Image.open(drawn).convert("RGB").quantize(256).save(DOCS / sheet, optimize=True)
    return (
        f"After {one['step']:,} steps on {one['training_pictures']:,} pictures of `{one['look']}`, the network reads "
        f"{accuracy(one)} of the unseen pictures right, and {trained(one)} of the training pictures. It misreads these "
        f"with the greatest confidence:\n\n![Misread pictures]({sheet})\n\n"
    )


def write_zoo(trained: Sequence[Result], untrained: Sequence[Result]) -> None:
    by_set = {one["set"]: one for one in trained}
    rows = []
    for one in untrained:
        pictures, steps, read_right, *rest = training_cells(by_set.get(one["set"]))
        rows.append((one["set"], read_right, *(f"{one[key]:.1%}" for key in GENERAL), pictures, steps, *rest))
    titles = (
        "set",
        "trained (95% interval)",
        "general model alone",
        "case ignored",
        "alphabet known",
        "training pictures",
        "steps",
        "minutes",
        "seconds to 95%",
        "confused",
        "commit",
    )
    draw_samples(DOCS / "zoo.png", [one["set"] for one in untrained], by_set)
    text = (
        "# Accuracy on pictures of real generators\n\n"
        + HEAD
        + "Each set was drawn by the open generator in its name, with most settings left as they are. The pictures are "
        "not in the repository. The same 400 pictures of each set are read by two models.\n\n"
        "The first is the general model of that time, which saw none of these generators. It looks once, and reads "
        "them as they are (exact text), with upper and lower case taken for the same, and with the alphabet of the set "
        "as `char_set`.\n\n"
        "The second is trained on all other pictures of the set with the default recipe. "
        "`--write-config` of `verify_and_split_data.py` proposes the config, and `train_model.py` trains.\n\n"
        "- Minutes: those of the steps.\n"
        "- Seconds to 95%: until a measurement of the verification set, 60 to 90 pictures, first gave 95% or more, "
        "computed from the mean pace of the training. Empty where none did.\n"
        "- Confused: label→reading, the most frequent ones. ∅ is no character.\n\n"
        "`easycaptcha_arith` is labelled with the answers to its sums. The general model reads a sum as it stands, so "
        "none of its texts fits. [Ready readers](peers.md) has its answers.\n\n"
        + table(titles, rows)
        + "\n![Three pictures of each set](zoo.png)\n\n"
        + (machines(trained) if trained else "")
    )
    (DOCS / "zoo.md").write_text(text, encoding="utf-8")


def write_labels(found: Sequence[Result]) -> None:
    starts = {"random weights": ["--warm-start", "none"], "general model": ["--warm-start", "auto"]}
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
        if by_count
    ]
    draw_labels(DOCS / "few_labels.png", {name: lines for name, lines in by_set.items() if all(lines.values())})
    text = (
        "# Accuracy from few labels\n\n"
        + HEAD
        + "The same 400 unseen pictures of each set are read after training on a few labelled ones. A training starts "
        "from random weights (`--warm-start none`) or from the general model of that time. That model never saw these "
        "generators.\n\n"
        "Each cell ends with the commit, or the day, of the code. Where these differ, the recipe may differ too, and "
        "so may the figures because of it. Cells that name no network are of `columns`.\n\n"
        + table(("set", "start", *(f"{count} labels" for count in counts)), rows)
        + "\n![Share misread over the number of labels](few_labels.png)\n\n"
        "A line joins what the table has, also where networks differ.\n\n" + machines(found)
    )
    (DOCS / "few_labels.md").write_text(text, encoding="utf-8")


def write_peers(found: Sequence[Result], watched: Sequence[Result]) -> None:
    _, sets = whole(found)
    if sets:
        draw_readings(DOCS / "peers.png", [one for one in found if one["reader"] == OURS and one["set"] in sets])
        text = peers_text(HEAD, found, [one["set"] for one in watched])
        (DOCS / "peers.md").write_text(text, encoding="utf-8")


def write_service(found: dict[str, Result]) -> None:
    text = (
        "# The recognition service in figures\n\n"
        + HEAD
        + "Two workers serve the model of the demonstration (network `columns`, pictures of 100×60, ten digits). The "
        "clients run on the same two cores.\n\n"
        + table(("what", "figure", "commit"), service_rows(found))
        + f"\nMachine: {', '.join(sorted({one['machine'] for one in found.values()}))}.\n"
    )
    (DOCS / "service.md").write_text(text, encoding="utf-8")
