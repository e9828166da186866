"""What `--forecast` says of 1,500 labels when it has 400, beside what a training on 1,500 then reads."""

from dataclasses import replace
from pathlib import Path

from cnnlib.core.files import read_json_object
from cnnlib.evaluation.learning_curve import Measured, forecast
from tests.benchmarks.runs import WORK, Result, call, perform, store, stored, write_config
from tests.benchmarks.zoo import run_of

LABELS, MORE_LABELS = 400, 1500


def measure(zoo: Path, name: str) -> Result:
    """Stored, or measured now: the forecast from few labels, and the accuracy on unseen pictures with many."""
    result = f"forecast-{name}"
    found = stored(result)
    if found is not None:
        return found
    folder = WORK / result
    figures = folder / "model" / "report" / "forecast.json"
    if not figures.exists():
        config = run_of(zoo, name, LABELS).prepare(folder)
        write_config(folder / "config.json", config)
        call("train_model.py", "--forecast", "--config", str(folder / "config.json"), log=folder / "forecast.log")
    truth = perform(replace(run_of(zoo, name, MORE_LABELS), name=f"learned-{name}"))
    return store(result, {"set": name} | compared(read_json_object(figures)["measured"], truth))


def compared(measured: list[dict[str, int]], truth: Result) -> Result:
    """The forecast for as many labels as the training `truth` learned, and what that training read right."""
    (said,) = forecast([Measured(**each) for each in measured], [truth["training_pictures"]])
    return {
        "measured": measured,
        "labels": said.labels,
        "forecast": said.accuracy,
        "range": [said.lowest, said.highest],
        "picture_accuracy": truth["picture_accuracy"],
        "samples": truth["samples"],
    }
