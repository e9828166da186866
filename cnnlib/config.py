"""The two config files as frozen, checked values.

The only place that knows a key's name, type, unit and default: `conf/*.schema.json` is written from here
(`python -m cnnlib.config`) and a test compares `conf/README.md` with it.
"""

import itertools
import json
import os
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from cnnlib.codec.alphabet import Alphabet
from cnnlib.codec.characters import alphabet_faults, normalise
from cnnlib.codec.images import Shape
from cnnlib.config_fields import (
    MOST,
    BatchSize,
    Channels,
    Characters,
    Count,
    Drawn,
    Expected,
    FilePath,
    Flag,
    Length,
    Network,
    Pixels,
    Seed,
    Share,
    Suffix,
    Text,
    Url,
)
from cnnlib.core.errors import ConfigError
from cnnlib.core.files import read_json, read_json_object, write_atomically
from cnnlib.core.paths import PROJECT_ROOT, config_path, default_config, display_path

SAMPLE_CONFIG = default_config("sample_config.json")
CAPTCHA_CONFIG = default_config("captcha_config.json")


class Config(BaseModel):
    """What both files have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    _source: Path = PrivateAttr(default=Path("config"))
    schema_link: Text | None = Field(
        default=None, alias="$schema", exclude=True, description="where an editor finds the schema"
    )

    @property
    def name(self) -> str:
        """The file as messages name it."""
        return display_path(self._source)


class CaptchaConfig(Config):
    """`captcha_config.json`: the pictures that are drawn."""

    root_dir: FilePath = Field(description="folder that drawn pictures are put into")
    image_suffix: Suffix = Field(description="file suffix, and so the format, of a picture")
    characters: Drawn = Field(
        description="characters that labels are drawn from, each as likely as often as it is named"
    )
    count: Count = Field(description="pictures drawn in one run")
    char_count: Length = Field(description="characters on a picture")
    width: Pixels = Field(description="width of a picture, pixels")
    height: Pixels = Field(description="height of a picture, pixels")
    least_char_count: Annotated[Length | None, Expected("a whole number of characters, 1 to 64")] = Field(
        default=None, description="fewest characters on a picture; none: `char_count`, all are of one length"
    )

    @property
    def lengths(self) -> range:
        """The lengths that labels are drawn from, each as likely."""
        least = self.char_count if self.least_char_count is None else self.least_char_count
        return range(least, self.char_count + 1)


class SampleConfig(Config):
    """`sample_config.json`: folders, pictures, alphabet, training."""

    origin_image_dir: FilePath = Field(description="folder of labelled pictures to verify and split")
    new_image_dir: FilePath = Field(description="folder of labelled pictures that come later, verified and split too")
    train_image_dir: FilePath = Field(description="folder of training pictures; 5% of them verify")
    test_image_dir: FilePath = Field(description="folder of test pictures, never trained on")
    api_image_dir: FilePath = Field(description="folder of pictures that the recognition API received")
    online_image_dir: FilePath = Field(description="folder of pictures fetched from `remote_url`")
    local_image_dir: FilePath = Field(description="folder of local pictures, saved under their reading")
    model_save_dir: FilePath = Field(description="folder of the model, its card and its reports")
    image_width: Pixels = Field(description="width of a picture, pixels")
    image_height: Pixels = Field(description="height of a picture, pixels")
    max_captcha: Length = Field(description="most characters on a picture; shorter labels are learned too")
    image_suffix: Suffix = Field(description="file suffix of the pictures")
    char_set: Characters = Field(description="characters that are told apart, in class order")
    use_labels_json_file: Flag = Field(description="take the characters from `labels_json_file`, not from `char_set`")
    remote_url: Url = Field(description="address that gives a fresh captcha picture")
    cycle_stop: Annotated[Count | Literal["auto"], Expected(f'a whole number of steps, 1 to {MOST}, or "auto"')] = (
        Field(description='steps after which training stops; "auto": from the number of pictures')
    )
    acc_stop: Share = Field(
        description="verification accuracy of pictures that ends a training early, once reached twice running; 1: never"
    )
    cycle_save: Count = Field(description="steps from one save of the model to the next")
    enable_gpu: Flag = Field(description="train on a GPU where there is one; 0 hides it")
    train_batch_size: BatchSize = Field(description="pictures in a training step; lower it when memory runs out")
    test_batch_size: BatchSize = Field(description="verification pictures measured for each verification line")

    labels_json_file: FilePath = Field(
        default=PROJECT_ROOT / "gen_image" / "labels.json", description="characters found by collect_labels.py"
    )
    channels: Channels = Field(default=1, description="1: pictures are read in grey; 3: in colour")
    resize: Flag = Field(default=False, description="resize pictures of another size; 0: they are refused")
    split_seed: Seed = Field(default=0, description="seed of the split into training, verification and test pictures")
    network: Network = Field(default="columns", description="network that is trained")
    augmentation: Annotated[
        Annotated[float, Field(ge=0, le=4)] | Literal["auto"], Expected('a number from 0 to 4, or "auto"')
    ] = Field(
        default="auto",
        description="strength of the random changes of training pictures, in the first half of the steps; 0: none; "
        '"auto": by how often each is seen',
    )
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"], Expected("auto, float32, bfloat16 or float16")
    ] = Field(default="auto", description="numbers that training computes with; auto: the fastest here")
    api_save: Flag = Field(default=True, description="keep the pictures that the recognition API receives")
    api_save_limit: Count = Field(
        default=10_000, description="received pictures that are kept in `api_image_dir`; the oldest go first"
    )
    log_dir: FilePath = Field(default=PROJECT_ROOT / "logs", description="folder of TensorBoard scalars")

    @property
    def shape(self) -> Shape:
        """Size of the pictures that are trained on."""
        return Shape(self.image_height, self.image_width, self.channels, self.resize)

    @cached_property
    def alphabet(self) -> Alphabet:
        """The characters that are told apart, from `char_set` or from `labels_json_file`."""
        return load_labels(self.labels_json_file) if self.use_labels_json_file else Alphabet(tuple(self.char_set))


AnyConfig = TypeVar("AnyConfig", bound=Config)


def load_labels(path: Path) -> Alphabet:
    """The alphabet in a labels.json: a JSON list of characters, or a JSON string of them.

    Raises ConfigError when the file is missing or holds anything else.
    """
    name = display_path(path)
    content = read_json(path, "make it with: python gen_image/collect_labels.py")
    if not isinstance(content, list | str) or not all(isinstance(c, str) for c in content):
        raise ConfigError(f"{name}: expected a list of characters or a string; got {json.dumps(content)[:60]}")
    content = [*map(normalise, content)] if isinstance(content, list) else normalise(content)
    faults = alphabet_faults(content)
    if faults:
        raise ConfigError("\n".join(f"{name}: {fault}" for fault in faults))
    return Alphabet(tuple(content))


def save_labels(path: Path, alphabet: Alphabet) -> None:
    """Write labels.json as a JSON list in class order, UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"{json.dumps(list(alphabet.characters), ensure_ascii=False)}\n".encode())


def load_sample_config(path: Path | str = SAMPLE_CONFIG, *, with_labels: bool = True) -> SampleConfig:
    """The checked `sample_config.json`, its alphabet read unless `with_labels` is false.

    Raises ConfigError, a line for each fault, when the file or its labels file can't be used.
    """
    config = check_keys(read_json_object(Path(path)), Path(path), SampleConfig)
    _check_folders(config)
    try:
        _ = config.alphabet if with_labels else None
    except ConfigError as error:
        raise ConfigError(f"{config.name}: key 'use_labels_json_file': {error}") from error
    return config


def load_captcha_config(path: Path | str = CAPTCHA_CONFIG) -> CaptchaConfig:
    """The checked `captcha_config.json`. Raises ConfigError, a line for each fault."""
    config = check_keys(read_json_object(Path(path)), Path(path), CaptchaConfig)
    if not config.lengths:
        raise ConfigError(
            f"{config.name}: key 'least_char_count': expected at most char_count, {config.char_count}; "
            f"got {config.least_char_count}"
        )
    return config


def check_keys(content: dict[str, Any], path: Path, kind: type[AnyConfig]) -> AnyConfig:
    """The config that the JSON object `content` of the file `path` makes. Raises ConfigError, a line for each fault."""
    try:
        config = kind.model_validate(content)
    except ValidationError as error:
        faults = [f"{display_path(path)}: {_fault(kind, dict(one))}" for one in error.errors()]
        raise ConfigError("\n".join(dict.fromkeys(faults))) from error
    config._source = path
    return config


def _check_folders(config: SampleConfig) -> None:
    """Raise ConfigError when folders coincide that must not mix what is labelled, what was read and what goes again."""
    keys = ("origin_image_dir", "new_image_dir", "train_image_dir", "test_image_dir", "api_image_dir", "model_save_dir")
    read = ("online_image_dir", "local_image_dir")  # into which pictures go under what was read, right or wrong
    for one, other in (*itertools.combinations(keys, 2), *itertools.product(keys, read)):
        if os.path.realpath(getattr(config, one)) == os.path.realpath(getattr(config, other)):
            got = display_path(getattr(config, one))
            raise ConfigError(f"{config.name}: keys '{one}', '{other}': expected different folders; got {got} for both")


def _fault(kind: type[Config], error: dict[str, Any]) -> str:
    """One line for one of pydantic's errors."""
    key = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        near = get_close_matches(key, _keys(kind), n=1, cutoff=0.5)
        return f"key '{key}': expected a known key{f', the nearest is {near[0]!r}' if near else ''}; got '{key}'"
    expected = _expected(kind, key)
    if error["type"] == "missing":
        return f"key '{key}': expected {expected}; the key is missing"
    if error["type"] == "value_error":
        return f"key '{key}': {error['ctx']['error']}"
    return f"key '{key}': expected {expected}; got {json.dumps(error['input'], ensure_ascii=False, default=str)}"


def _expected(kind: type[Config], key: str) -> str:
    field = next(field for name, field in kind.model_fields.items() if key in (name, field.alias))
    return next((one.text for one in field.metadata if isinstance(one, Expected)), "a text")


def _keys(kind: type[Config]) -> list[str]:
    return [field.alias or name for name, field in kind.model_fields.items()]


def json_schema(kind: type[Config]) -> dict[str, Any]:
    """The JSON Schema that lies beside a config and that editors complete from."""
    schema = kind.model_json_schema()
    for key in ("labels_json_file", "log_dir"):
        if key in schema["properties"]:
            schema["properties"][key]["default"] = config_path(kind.model_fields[key].default)
    return schema


def write_schemas() -> None:
    """Write `conf/*.schema.json` anew."""
    for kind, config in ((SampleConfig, SAMPLE_CONFIG), (CaptchaConfig, CAPTCHA_CONFIG)):
        path = config.with_suffix(".schema.json")
        path.write_text(json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
