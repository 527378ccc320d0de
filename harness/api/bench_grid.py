"""What `bench` is asked for: its settings, and the grid of cases and architectures that they mean."""

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from harness.catalog.models import preset, preset_names
from harness.errors import UsageError, unknown
from harness.files import validation
from harness.measure import grid
from harness.measure.grid import Grid, Model
from harness.model.checkpoint import read_spec
from harness.model.counts import COUNTERPART_OF
from harness.model.spec import Spec
from harness.model.tensors import why_not_run
from harness.results.record import Host

Numbers = str | int | Sequence[int | str]
"""One value, several, or text as the command line takes it: 1,4,16 or 1-4 or 128-512+128 or 1-64*4."""


class BenchSettings(TypedDict, total=False):
    """What `bench` may be told, each with a default."""

    prompt: Numbers
    """prompt lengths to read; 0: none (512)"""
    generate: Numbers
    """numbers of tokens to generate; 0: none (64)"""
    batch: Numbers
    """sequences at once (1)"""
    depth: Numbers
    """cached tokens when generation begins (0)"""
    precision: str | Sequence[str]
    """of weights: int4, int8, fp32 (int8)"""
    threads: Numbers
    """one a physical core"""
    repetitions: int
    """fresh processes for each row (5)"""
    profile: bool
    """also where a step's time goes"""
    seed: int
    """of weights, tokens and order"""
    routing_skew: float
    """preference for the first experts; 0 is balanced"""
    timeout_s: float
    """seconds after which a process is ended (600)"""


@dataclass(frozen=True)
class BenchOptions:
    """What is asked for; lists as they were written, empty threads for one a physical core."""

    models: tuple[str, ...]
    prompt: str = "512"
    generate: str = "64"
    batch: str = "1"
    depth: str = "0"
    precision: str = "int8"
    threads: str = ""
    repetitions: int = 5
    profile: bool = False
    seed: int = 0
    routing_skew: float = 0.0
    timeout_s: float = 600.0


def options_of(models: Sequence[str], settings: BenchSettings) -> BenchOptions:
    """The settings as text, as the command line has them."""
    listed = {name: _listed(value) if name in _LISTS else value for name, value in settings.items()}
    return BenchOptions(tuple(models), **listed)  # type: ignore[arg-type]


_LISTS = ("prompt", "generate", "batch", "depth", "precision", "threads")


def _listed(value: object) -> str:
    return (
        ",".join(str(one) for one in value)
        if isinstance(value, Sequence) and not isinstance(value, str)
        else str(value)
    )


def grid_of(options: BenchOptions, here: Host) -> Grid:
    """The options as numbers, names and specs. Raises UsageError naming the option that does not fit."""
    tokens_limit = 1 << 20
    return Grid(
        models=_models(options.models),
        prompt_tokens=grid.numbers(options.prompt, "-p", low=0, high=tokens_limit),
        decode_tokens=grid.numbers(options.generate, "-n", low=0, high=tokens_limit),
        batches=_some("-b", grid.numbers(options.batch, "-b", low=1, high=4096)),
        depths=_some("-d", grid.numbers(options.depth, "-d", low=0, high=tokens_limit)),
        precisions=grid.precisions(options.precision, "-q"),
        threads=grid.numbers(options.threads, "-t", low=1, high=1024) or (max(1, here.cores),),
        repetitions=options.repetitions,
        seed=options.seed,
        routing_skew=options.routing_skew,
    )


def _some(option: str, values: tuple[int, ...]) -> tuple[int, ...]:
    if not values:
        raise UsageError(f"{option}: is empty, expected at least one number")
    return values


def _models(names: tuple[str, ...]) -> tuple[Model, ...]:
    found: dict[str, Model] = {}
    for name in names:
        model = _model(name)
        if found.setdefault(model.name, model) != model:
            raise UsageError(f"{name}: another architecture named '{model.name}' is asked for too; rename one file")
    return tuple(found.values())


def _model(name: str) -> Model:
    """A preset, the spec in a YAML file, or the architecture in a Hugging Face config.json, named itself or by its
    folder; with a counterpart's name behind a colon its dense counterpart."""
    base, _, counterpart = name.rpartition(":") if ":" in name else (name, "", "")
    path = Path(base)
    if base in preset_names():
        spec, called = preset(base), base
    elif path.suffix == ".json" or os.path.isdir(path):  # False for a name that no file can have, where is_dir raises
        home = path if os.path.isdir(path) else path.parent if path.name == "config.json" else path.with_suffix("")
        spec, called = read_spec(path), _plain(home.resolve().name)
    elif "/" in base or path.suffix in (".yaml", ".yml"):
        spec, called = validation.read(path, Spec, what="model spec"), _plain(path.stem)
    else:
        raise UsageError(
            f"{unknown('model', base, preset_names())}; a file with a spec ends in .yaml, and the folder of a Hugging "
            "Face model holds a config.json"
        )
    if (why := why_not_run(spec)) is not None:
        raise UsageError(f"{name}: {why}")
    if not counterpart:
        return Model(name=called, spec=spec)
    if counterpart not in COUNTERPART_OF:
        raise UsageError(f"{name}: {unknown('counterpart', counterpart, COUNTERPART_OF)}")
    try:
        return Model(name=f"{called}:{counterpart}", spec=COUNTERPART_OF[counterpart](spec))
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name) or "model"


def command_line(options: BenchOptions) -> str:
    """The options as they could be typed again, kept with the run: without the folders of an absolute path."""
    lists = {"-p": options.prompt, "-n": options.generate, "-b": options.batch, "-d": options.depth}
    lists |= {"-q": options.precision, "-r": str(options.repetitions), "--seed": str(options.seed)}
    if options.threads:
        lists["-t"] = options.threads
    if options.routing_skew:
        lists["--routing-skew"] = f"{options.routing_skew:g}"
    return shlex.join(
        (
            "harness",
            "bench",
            *(_unplaced(name) for name in options.models),
            *(word for pair in lists.items() for word in pair),
        )
    )


def _unplaced(model: str) -> str:
    return Path(model).name if Path(model).is_absolute() else model
