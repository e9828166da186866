"""What `--doctor` says: the lines of its summary, a table of all pictures, and a page with those to look at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.characters import escape_odd
from cnnlib.core.files import write_atomically
from cnnlib.core.paths import display_path, short_path
from cnnlib.core.printable import printable
from cnnlib.core.tables import number, table_bytes
from cnnlib.data.doctor import Examination, Finding, case_slips
from cnnlib.evaluation.diagnosis import LabelledReading
from cnnlib.report.pictures import ShownReading, shown
from cnnlib.report.rendering import render

LISTED = 10  # pictures on the console
CARDS = 300  # pictures on the page, at most
HEADER = ("picture", "label", "reading", "score", "confidence", "label confidence", "findings")


def summary_lines(examination: Examination, every: Sequence[Finding]) -> list[str]:
    """What was found, a fact a line."""
    exact = sum(double.exact for double in examination.doubles)
    disagreeing = sum(double.disagrees for double in examination.doubles)
    faulty = sum(sample.fault is not None for sample in examination.samples)
    lines = [
        f"{len(examination.samples)} labelled pictures",
        f"The same file twice: {exact}; nearly the same picture: {len(examination.doubles) - exact}; "
        f"of these under two labels: {disagreeing}",
        f"Labels that are likely wrong, or do not fit the config: {faulty}",
        *_character_lines(examination, every),
    ]
    read = [finding.reading for finding in every if finding.reading]
    if read:
        contradicted = sum(each.prediction.text != each.label for each in read)
        lines.append(f"Labels that a network contradicts which did not learn them: {contradicted} of {len(read)}")
    return lines


def _character_lines(examination: Examination, every: Sequence[Finding]) -> list[str]:
    lines = []
    if examination.rare:
        shown = ", ".join(f"{escape_odd(character)} {count}x" for character, count in examination.rare.items())
        lines.append(f"Characters that are seen fewer than ten times: {shown}; label more pictures that show them")
    if examination.case:
        lines.append(examination.case)
    slips = case_slips(every)
    if slips:
        shown = ", ".join(f"{letter} {count}x" for letter, count in slips.most_common())
        lines.append(f"Labels and readings that differ in case alone: {shown}")
    return lines


def first_lines(every: Sequence[Finding]) -> list[str]:
    """The first pictures to look at, a line each below their number."""
    suspicious = [finding for finding in every if finding.suspicious]
    if not suspicious:
        return ["Nothing to look at"]
    return [f"To look at: {len(suspicious)}, such as:", *map(_line, suspicious[:LISTED])]


def _line(finding: Finding) -> str:
    reading = f" reading: {escape_odd(finding.reading.prediction.text)}" if finding.reading else ""
    causes = f" [{'; '.join(finding.causes)}]" if finding.causes else ""
    return f"  {display_path(finding.sample.path)} label: {escape_odd(str(finding.sample.label))}{reading}{causes}"


def write_table(every: Sequence[Finding], path: Path) -> None:
    """Write a CSV of all pictures, the most suspicious first. Raises OSError when it can't be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, table_bytes(HEADER, map(_row, every)))


def _row(finding: Finding) -> tuple[object, ...]:
    sample, reading, figures = finding.sample, finding.reading, ("", "", "", "")
    if reading:
        confidences = number(reading.prediction.confidence, 6), number(reading.label_confidence, 6)
        figures = (reading.prediction.text, number(finding.score, 3), *confidences)
    return short_path(sample.path), sample.label, *figures, "; ".join(finding.causes)


def write_page(lines: Sequence[str], every: Sequence[Finding], path: Path) -> None:
    """Write a page of the pictures to look at, which needs no other file. Raises OSError when it can't be written."""
    suspicious = [finding for finding in every if finding.suspicious]
    rest = [f"The first {CARDS} of {len(suspicious)} are shown; the table has all"] if len(suspicious) > CARDS else []
    cards = [_card(finding) for finding in suspicious[:CARDS]]
    page = render("doctor.html", lines=[*map(printable, lines), *rest], cards=cards)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, page.encode("utf-8", "backslashreplace"))


@dataclass(frozen=True)
class Card:
    """What the page shows of a picture; where no network read it, the reading is the label."""

    reading: ShownReading
    is_read: bool
    causes: list[str]


def _card(finding: Finding) -> Card:
    path, label = finding.sample.path, str(finding.sample.label)
    reading = finding.reading or LabelledReading(path, label, Prediction(label, 1.0, ()))
    named = replace(shown(reading), name=display_path(path))  # the folder tells the set
    return Card(named, finding.reading is not None, [printable(cause) for cause in finding.causes])
