"""What `harness bench` is asked for: its options, and the grid of settings and architectures that they mean."""

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from harness.catalog.models import preset, preset_names
from harness.errors import UsageError, unknown
from harness.files import validation
from harness.measure import grid
from harness.measure.grid import Grid, Model
from harness.measure.planner import COUNTERPARTS
from harness.model.checkpoint import read_spec
from harness.model.spec import Spec
from harness.model.tensors import why_not_run
from harness.results.record import Host


@dataclass(frozen=True)
class BenchOptions:
    """What the command line asks for; lists as they were written, empty threads for one a physical core."""

    models: tuple[str, ...]
    prompt: str
    generate: str
    batch: str
    depth: str
    precision: str
    threads: str
    repetitions: int
    form: str
    profile: bool = False
    store: Path | None = None
    seed: int = 0
    routing_skew: float = 0.0
    timeout_s: float = 600.0
    quiet: bool = False
    wait: bool = False
    force: bool = False


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
    if counterpart not in COUNTERPARTS:
        raise UsageError(f"{name}: {unknown('counterpart', counterpart, COUNTERPARTS)}")
    try:
        return Model(name=f"{called}:{counterpart}", spec=COUNTERPARTS[counterpart](spec))
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name) or "model"


def command_line(options: BenchOptions) -> str:
    """The options as they could be typed again, kept with the run."""
    lists = {"-p": options.prompt, "-n": options.generate, "-b": options.batch, "-d": options.depth}
    lists |= {"-q": options.precision, "-r": str(options.repetitions), "--seed": str(options.seed)}
    if options.threads:
        lists["-t"] = options.threads
    if options.routing_skew:
        lists["--routing-skew"] = f"{options.routing_skew:g}"
    return shlex.join(("harness", "bench", *options.models, *(word for pair in lists.items() for word in pair)))
