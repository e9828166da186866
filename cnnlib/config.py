"""The two config files as frozen, validated objects.

Every key's name, type, unit and default is defined here and nowhere else. `python -m cnnlib.config` writes
`conf/*.schema.json` from it, and a test compares the keys in `docs/configuration.md` with it.
"""

import itertools
import json
import logging
import os
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from cnnlib.codec.alphabet import Alphabet
from cnnlib.codec.characters import alphabet_faults, fold_case, normalise
from cnnlib.codec.images import Shape
from cnnlib.config_fields import (
    BYTES_LIMIT,
    COUNT_LIMIT,
    BatchSize,
    Bytes,
    Channels,
    Characters,
    Count,
    DrawnCharacters,
    Expected,
    FilePath,
    Flag,
    FolderPaths,
    Length,
    Network,
    Pixels,
    Seed,
    Share,
    Suffix,
    SuffixOrAny,
    Text,
    Url,
)
from cnnlib.core.errors import ConfigError
from cnnlib.core.files import read_json, read_json_object, write_atomically
from cnnlib.core.paths import PROJECT_ROOT, config_path, display_path, project_path
from cnnlib.core.printable import excerpt, printable

SAMPLE_CONFIG = project_path("conf/sample_config.json")
CAPTCHA_CONFIG = project_path("conf/captcha_config.json")
LOOKS_CONFIG = project_path("conf/general_captcha_config.json")
REASON_LIMIT = 1000  # characters of a reason
# Keys that configs of the original suite lack where they are older, each with the value that it had then.
OLDER_DEFAULTS = {"new_image_dir": "sample/new_train/", "train_batch_size": 128, "test_batch_size": 100}
log = logging.getLogger(__name__)


class Config(BaseModel):
    """Base class of both configs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    _source: Path | str = PrivateAttr(default="config")
    schema_link: Text | None = Field(
        default=None, alias="$schema", exclude=True, description="path of the schema, for editors"
    )

    @property
    def name(self) -> str:
        """The file's path for messages, or what else the config comes from."""
        return _shown(self._source)

    @property
    def file(self) -> Path | None:
        """The file, or None when the config comes from elsewhere."""
        return self._source if isinstance(self._source, Path) else None


class CaptchaConfig(Config):
    """`captcha_config.json`: the pictures to draw."""

    root_dir: FilePath = Field(description="folder for the drawn pictures")
    image_suffix: Suffix = Field(description="file suffix of a picture, which also sets its format")
    characters: DrawnCharacters = Field(
        description="characters that labels are drawn from; one named twice is drawn twice as often"
    )
    count: Count = Field(description="pictures drawn in one run")
    char_count: Length = Field(description="characters on a picture")
    width: Pixels = Field(description="width of a picture, pixels")
    height: Pixels = Field(description="height of a picture, pixels")
    least_char_count: Length | None = Field(
        default=None, description="fewest characters on a picture; without it all have `char_count`"
    )

    @property
    def lengths(self) -> range:
        """The lengths that labels can have."""
        least = self.char_count if self.least_char_count is None else self.least_char_count
        return range(least, self.char_count + 1)


class SampleConfig(Config):
    """`sample_config.json`: folders, pictures, alphabet, training."""

    origin_image_dir: FolderPaths = Field(
        description="folder of labelled pictures to verify and split, or a list of folders, one for each look"
    )
    new_image_dir: FilePath = Field(description="folder of labelled pictures added later, to verify and split too")
    train_image_dir: FilePath = Field(description="folder of training pictures; 5% of them, or 10% of few, verify")
    test_image_dir: FilePath = Field(description="folder of test pictures, never trained on")
    api_image_dir: FilePath = Field(description="folder for pictures that the recognition API receives")
    online_image_dir: FilePath = Field(
        description="folder for pictures fetched from `remote_url`, named by their prediction"
    )
    local_image_dir: FilePath = Field(description="folder for local pictures, named by their prediction")
    model_save_dir: FilePath = Field(description="folder for the model, its card and its reports")
    image_width: Pixels = Field(description="width of a picture, pixels")
    image_height: Pixels = Field(description="height of a picture, pixels")
    max_captcha: Length = Field(description="most characters on a picture; shorter labels are learned too")
    image_suffix: SuffixOrAny = Field(description="file suffix of the pictures; any: all of these formats, mixed")
    char_set: Characters = Field(description="alphabet: the characters that the model can read, in class order")
    use_labels_json_file: Flag = Field(description="take the alphabet from `labels_json_file` instead of `char_set`")
    remote_url: Url = Field(description="address that gives a fresh captcha picture")
    cycle_stop: Annotated[
        Count | Literal["auto"], Expected(f'a whole number of steps, 1 to {COUNT_LIMIT}, or "auto"')
    ] = Field(description='steps after which training stops; "auto": by the number of pictures')
    acc_stop: Share = Field(
        description="picture accuracy on the verification set that ends a training early, when reached twice in a row; "
        "1: never"
    )
    cycle_save: Count = Field(
        description="steps from one save of the model to the next; it is saved after a tenth of all steps, and after "
        "five minutes, too"
    )
    enable_gpu: Flag = Field(description="train on a GPU if there is one; 0 hides it")
    train_batch_size: BatchSize = Field(
        description="pictures in a training step, of all GPUs and workers together; lower it when memory runs out"
    )
    test_batch_size: BatchSize = Field(description="verification pictures measured for each verification line")

    labels_json_file: FilePath = Field(
        default=PROJECT_ROOT / "gen_image" / "labels.json", description="the alphabet that collect_labels.py found"
    )
    min_captcha: Length | None = Field(
        default=None, description="fewest characters that are read; without it those of the shortest training label"
    )
    ignore_case: Flag = Field(
        default=False,
        description="read texts in lower case, with both cases of a letter as one; labels may have either",
    )
    views: Annotated[int, Field(ge=1, le=3), Expected("1, 2 or 3")] = Field(
        default=1,
        description="2: read a picture that is not read surely a second time, cut to its content; 3: and inside a wide "
        "margin; the surest reading counts",
    )
    unlabelled_image_dir: FolderPaths | None = Field(
        default=None,
        description="folder of pictures without labels, with its sub-folders, or a list of them: what a training reads "
        "surely there teaches it too",
    )
    channels: Channels = Field(default=1, description="1: pictures are read in grey; 3: in colour")
    resize: Flag = Field(default=False, description="resize pictures of another size; 0: refuse them")
    split_seed: Seed = Field(default=0, description="seed of the split into training, verification and test pictures")
    network: Network = Field(default="columns", description="network to train")
    augmentation: Annotated[
        Annotated[float, Field(ge=0, le=4)] | Literal["auto"], Expected('a number from 0 to 4, or "auto"')
    ] = Field(
        default="auto",
        description="strength of the random changes of training pictures, which fade in the second half of the steps; "
        '0: none; "auto": by how often each picture is seen',
    )
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"], Expected("auto, float32, bfloat16 or float16")
    ] = Field(default="auto", description="number format that training computes in; auto: the fastest on this machine")
    strategy: Annotated[Literal["auto", "one", "mirrored", "workers"], Expected("auto, one, mirrored or workers")] = (
        Field(
            default="auto",
            description="what trains together: one device, all GPUs of this machine (mirrored), or the machines that "
            "TF_CONFIG names (workers); auto: these machines if there are any, else the GPUs if there are several",
        )
    )
    batch_statistics: Annotated[Literal["shared", "own"], Expected("shared or own")] = Field(
        default="shared",
        description="where several devices train together, batch normalisation takes the statistics of the whole batch "
        "(shared: the losses are those of one device), or of the device's share of it (own: faster)",
    )
    api_save: Flag = Field(default=True, description="keep the pictures that the recognition API receives")
    api_save_limit: Count = Field(
        default=10_000, description="received pictures that are kept in `api_image_dir`; the oldest are deleted first"
    )
    api_save_bytes: Annotated[Bytes | None, Expected(f"a whole number of bytes, 1 to {BYTES_LIMIT}")] = Field(
        default=None,
        description="bytes of received pictures that are kept; without it 10,000 for each of `api_save_limit`",
    )
    api_examples: Flag = Field(
        default=True, description="offer some training pictures on the page of the recognition API, for anybody to try"
    )
    generator: Annotated[
        Literal["gen_sample_by_captcha", "gen_sample_of_many_looks"] | None,
        Expected("gen_sample_by_captcha or gen_sample_of_many_looks"),
    ] = Field(
        default=None,
        description="script of gen_image/ whose pictures are drawn while the training goes on, each once, instead of "
        "taking those of `train_image_dir`",
    )
    generator_config: FilePath | None = Field(
        default=None, description="captcha config of the pictures that `generator` draws; without it the script's own"
    )
    drawn_pictures: Annotated[
        Annotated[int, Field(ge=2, le=COUNT_LIMIT)] | None, Expected(f"a whole number of pictures, 2 to {COUNT_LIMIT}")
    ] = Field(
        default=None,
        description="pictures that `generator` draws ahead, which then come again and again; without it all are new",
    )
    cache_dir: FilePath = Field(
        default=PROJECT_ROOT / "cache", description="folder for decoded training pictures, which may be deleted"
    )
    log_dir: FilePath = Field(default=PROJECT_ROOT / "logs", description="folder for TensorBoard scalars")

    @property
    def shape(self) -> Shape:
        """Size of the pictures to train on and to read."""
        return Shape(self.image_height, self.image_width, self.channels, self.resize)

    @property
    def origin_dirs(self) -> tuple[Path, ...]:
        """The folders of `origin_image_dir`, one or more. Pictures are imported into the first."""
        return _listed(self.origin_image_dir)

    @property
    def unlabelled_dirs(self) -> tuple[Path, ...]:
        """The folders of `unlabelled_image_dir`, none without that key."""
        return _listed(self.unlabelled_image_dir or ())

    @property
    def dirs_to_split(self) -> tuple[Path, ...]:
        """The folders of labelled pictures to verify and split."""
        return (*self.origin_dirs, self.new_image_dir)

    @property
    def has_looks(self) -> bool:
        """Whether the pictures come in several looks, a folder each."""
        return len(self.origin_dirs) > 1

    @cached_property
    def alphabet(self) -> Alphabet:
        """The alphabet, from `char_set` or from `labels_json_file`. Raises ConfigError as `load_labels` does."""
        return load_labels(self.labels_json_file) if self.use_labels_json_file else Alphabet(tuple(self.char_set))

    def label(self, text: str) -> str:
        """What a label says: two labels are the same if this is. Composed (NFC), in lower case if case is ignored."""
        label = normalise(text)
        return fold_case(label) if self.ignore_case else label

    def spelled(self, text: str) -> str:
        """A label as it is learned. If case is ignored, each letter is the small one, or else what the alphabet has."""
        label = normalise(text)
        return "".join(self._learned.get(fold_case(each), each) for each in label) if self.ignore_case else label

    @cached_property
    def _learned(self) -> dict[str, str]:
        """The characters of the alphabet by their small letters. Of both cases the small one is learned."""
        folded = {each: fold_case(each) for each in self.alphabet.characters}
        upper = {small: each for each, small in folded.items() if small != each}
        return upper | {small: small for each, small in folded.items() if small == each}


def _listed(folders: Path | tuple[Path, ...]) -> tuple[Path, ...]:
    return (folders,) if isinstance(folders, Path) else folders


AnyConfig = TypeVar("AnyConfig", bound=Config)
WHAT_IT_IS = {
    SampleConfig: "a config of pictures to train on and read, such as conf/sample_config.json",
    CaptchaConfig: "a config of captchas to draw, such as conf/captcha_config.json",
}


def load_labels(path: Path) -> Alphabet:
    """The alphabet in a labels.json, which is a JSON list of characters or a JSON string.

    Raises ConfigError when the file is missing or has another content.
    """
    name = display_path(path)
    content = read_json(path, "make it with: python gen_image/collect_labels.py")
    if not isinstance(content, list | str) or not all(isinstance(c, str) for c in content):
        raise ConfigError(f"{name}: expected a list of characters or a string; got {json.dumps(content)[:60]}")
    content = [*map(normalise, content)] if isinstance(content, list) else normalise(content)
    faults = alphabet_faults(content)
    if faults:
        raise ConfigError("\n".join(printable(f"{name}: {fault}") for fault in faults))
    return Alphabet(tuple(content))


def save_labels(path: Path, alphabet: Alphabet) -> None:
    """Write labels.json as a JSON list in class order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"{json.dumps(list(alphabet.characters), ensure_ascii=False)}\n".encode())


def load_sample_config(path: Path | str = SAMPLE_CONFIG, *, with_labels: bool = True) -> SampleConfig:
    """The validated `sample_config.json`.

    Raises ConfigError, with a line for each fault, when it can't be used. Unless `with_labels` is false, this includes
    its labels file.
    """
    config = check_keys(read_sample_keys(Path(path)), Path(path), SampleConfig)
    _check_folders(config)
    _check_lengths(config)
    _check_sources(config)
    try:
        _ = config.alphabet if with_labels else None  # reads the labels file
    except ConfigError as error:
        raise ConfigError(f"{config.name}: key 'use_labels_json_file': {error}") from error
    return config


def read_sample_keys(path: Path) -> dict[str, Any]:
    """The keys and values of a sample config, unchecked. Those that older configs lack are added, which is logged.

    Raises ConfigError when the file can't be read, or is no sample config.
    """
    content = read_json_object(path)
    _check_kind(content, path, SampleConfig)
    added = {key: value for key, value in OLDER_DEFAULTS.items() if key not in content}
    if added:
        lines = ", ".join(f'"{key}": {json.dumps(value)}' for key, value in added.items())
        log.warning("%s: keys that older configs lack are missing; taken for them: %s", display_path(path), lines)
    return content | added


def load_captcha_config(path: Path | str = CAPTCHA_CONFIG) -> CaptchaConfig:
    """The validated `captcha_config.json`. Raises ConfigError, with a line for each fault."""
    content = read_json_object(Path(path))
    _check_kind(content, Path(path), CaptchaConfig)
    config = check_keys(content, Path(path), CaptchaConfig)
    if not config.lengths:
        raise ConfigError(
            f"{config.name}: key 'least_char_count': expected at most char_count, {config.char_count}; "
            f"got {config.least_char_count}"
        )
    return config


def check_keys(content: dict[str, Any], source: Path | str, kind: type[AnyConfig]) -> AnyConfig:
    """The config with the keys and values in `content`, which come from a file or from what `source` says.

    Raises ConfigError, with a line for each fault.
    """
    try:
        config = kind.model_validate(content)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        lines = [printable(f"{_shown(source)}: {_describe_fault(kind, dict(fault))}") for fault in faults]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from error
    config._source = source
    return config


def _shown(source: Path | str) -> str:
    return source if isinstance(source, str) else display_path(source)


def _check_kind(content: dict[str, Any], path: Path, kind: type[Config]) -> None:
    """Raise ConfigError, in one sentence, when most keys are of no config of this kind."""
    unknown = sorted(content.keys() - {*_keys(kind)})
    if 2 * len(unknown) <= len(content):
        return
    other: type[Config] = CaptchaConfig if kind is SampleConfig else SampleConfig
    of_other = 2 * len(content.keys() & {*_keys(other)}) > len(content)
    got = WHAT_IT_IS[other] if of_other else f"a file with keys such as {excerpt(', '.join(unknown[:3]))}"
    raise ConfigError(f"{display_path(path)}: expected {WHAT_IT_IS[kind]}; got {got}")


def _check_sources(config: SampleConfig) -> None:
    """Raise ConfigError for pictures without labels beside drawn ones, which all have labels."""
    if config.generator and config.unlabelled_dirs:
        raise ConfigError(f"{config.name}: keys 'generator', 'unlabelled_image_dir': expected one of them; got both")


def _check_lengths(config: SampleConfig) -> None:
    """Raise ConfigError when no text has an allowed length. A training would not notice, but reading would."""
    if config.min_captcha is not None and config.min_captcha > config.max_captcha:
        raise ConfigError(
            f"{config.name}: key 'min_captcha': expected at most max_captcha, {config.max_captcha}; "
            f"got {config.min_captcha}"
        )


def _check_folders(config: SampleConfig) -> None:
    """Raise ConfigError when two keys name the same folder, although their pictures must not mix.

    Only the two folders of predictions may be the same. Nor may a list name a folder twice, or one inside another.
    """
    samples = ("origin_image_dir", "new_image_dir", "train_image_dir", "test_image_dir", "api_image_dir")
    keys = (*samples, "model_save_dir", "cache_dir")
    prediction_keys = ("online_image_dir", "local_image_dir")  # a prediction in a picture's name may be wrong
    for key, other in (*itertools.combinations(keys, 2), *itertools.product(keys, prediction_keys)):
        for folder in config.origin_dirs if key == "origin_image_dir" else (getattr(config, key),):
            if os.path.realpath(folder) == os.path.realpath(getattr(config, other)):
                raise ConfigError(
                    f"{config.name}: keys '{key}', '{other}': expected different folders; "
                    f"got {display_path(folder)} for both"
                )
    for key, folders in (("origin_image_dir", config.origin_dirs), ("unlabelled_image_dir", config.unlabelled_dirs)):
        for folder, place in itertools.permutations(folders, 2):
            _check_beside(folder, place, f"{config.name}: key '{key}'")


def _check_beside(folder: Path, other: Path, where: str) -> None:
    """Raise ConfigError when a folder of a list is another one of it, or lies in it. `where` names the list."""
    real, real_other = Path(os.path.realpath(folder)), Path(os.path.realpath(other))
    shown, shown_other = display_path(folder), display_path(other)
    if real == real_other:
        raise ConfigError(f"{where}: expected each folder once; got one twice, as {shown} and {shown_other}")
    if real.is_relative_to(real_other):
        raise ConfigError(f"{where}: expected folders side by side; got {shown} inside {shown_other}; move it out")


def _describe_fault(kind: type[Config], error: dict[str, Any]) -> str:
    """The line of a message for one of pydantic's errors."""
    key = excerpt(error["loc"][0])
    if error["type"] == "extra_forbidden":
        nearest = get_close_matches(key, _keys(kind), n=1, cutoff=0.5)
        near = f", the nearest is {nearest[0]!r}" if nearest else ""
        return f"key '{key}': expected a known key{near}; got '{key}'"
    expected = _expected(kind, key)
    if error["type"] == "missing":
        return f"key '{key}': expected {expected}; the key is missing"
    if error["type"] == "value_error":
        return f"key '{key}': {excerpt(error['ctx']['error'], REASON_LIMIT)}"
    return (
        f"key '{key}': expected {expected}; got {excerpt(json.dumps(error['input'], ensure_ascii=False, default=str))}"
    )


def _expected(kind: type[Config], key: str) -> str:
    """What a message calls the values of a key; of an optional one, those of its type."""
    field = next(field for name, field in kind.model_fields.items() if key in (name, field.alias))
    parts = [getattr(part, "__metadata__", ()) for part in get_args(field.annotation)]
    return next(item.text for item in (*field.metadata, *itertools.chain(*parts)) if isinstance(item, Expected))


def _keys(kind: type[Config]) -> list[str]:
    return [field.alias or name for name, field in kind.model_fields.items()]


def json_schema(kind: type[Config]) -> dict[str, Any]:
    """The JSON Schema of a config, from which editors complete keys."""
    schema = kind.model_json_schema()
    for key in ("labels_json_file", "cache_dir", "log_dir"):
        if key in schema["properties"]:
            schema["properties"][key]["default"] = config_path(kind.model_fields[key].default)
    return schema


def write_schemas() -> None:
    """Write `conf/*.schema.json`."""
    for kind, config in ((SampleConfig, SAMPLE_CONFIG), (CaptchaConfig, CAPTCHA_CONFIG)):
        path = config.with_suffix(".schema.json")
        path.write_text(json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
