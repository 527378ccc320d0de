"""Architectures by name: released models with their makers' counts, and the presets that run here."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import Field

from harness.catalog.citation import Citation, Key
from harness.errors import UsageError, unknown
from harness.files import validation
from harness.model.counts import dense_equal_active, dense_equal_total
from harness.model.spec import Spec
from harness.vocabulary import Frozen


class ReleasedModel(Frozen):
    """One released architecture, with the parameter counts that its maker publishes."""

    name: str
    title: str
    vendor: str
    spec: Spec
    published_total: float = Field(gt=0, description="parameters, as published")
    published_active: float = Field(gt=0, description="parameters used for a token, as published")
    source: Citation
    released: str | None = Field(default=None, description="day of release, YYYY-MM-DD; None: not looked up")
    note: str | None = None


class ModelEntry(Frozen):
    """One released model, as it is written in a catalog file."""

    title: str
    vendor: str
    published_total: float = Field(gt=0, lt=1e18)
    published_active: float = Field(gt=0, lt=1e18)
    source: Key
    released: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    note: str | None = None
    spec: Spec


class ModelFile(Frozen):
    """The built-in list of released models."""

    sources: dict[Key, Citation]
    models: dict[Key, ModelEntry] = Field(min_length=1)


def to_model(name: str, entry: ModelEntry, sources: dict[str, Citation]) -> ReleasedModel:
    """The model that `entry` describes. Raises UsageError for a source that is not listed."""
    if entry.source not in sources:
        raise UsageError(f"{unknown('source', entry.source, sources)}; list it under 'sources'")
    return ReleasedModel(
        name=name,
        title=entry.title,
        vendor=entry.vendor,
        spec=entry.spec,
        published_total=entry.published_total,
        published_active=entry.published_active,
        source=sources[entry.source],
        released=entry.released,
        note=entry.note,
    )


@cache
def released_models() -> tuple[ReleasedModel, ...]:
    """All built-in released models, in the file's order."""
    found = validation.validate(
        validation.load(Path(__file__).with_name("models.yaml"), what="model catalog"), ModelFile
    )
    return tuple(to_model(name, entry, found.sources) for name, entry in found.models.items())


def released_names() -> tuple[str, ...]:
    return tuple(model.name for model in released_models())


def released(name: str) -> ReleasedModel:
    """The released model of that name. Raises UsageError, naming the nearest known one."""
    for known in released_models():
        if known.name == name:
            return known
    raise UsageError(unknown("model", name, released_names()))


_COUNTERPARTS = {"equal-total": dense_equal_total, "equal-active": dense_equal_active}


@cache
def _presets() -> dict[str, Spec]:
    from ruamel.yaml import YAML

    text = files("harness.catalog").joinpath("presets.yaml").read_text(encoding="utf-8")
    return {name: Spec.model_validate(fields) for name, fields in YAML(typ="safe").load(text).items()}


def preset_names() -> tuple[str, ...]:
    """Names of the sparse presets, in the order of the file."""
    return tuple(_presets())


def preset(name: str) -> Spec:
    """The architecture called `name`, or the dense counterpart `NAME:equal-total` or `NAME:equal-active` of it.

    Raises UsageError for an unknown name, with the nearest known one.
    """
    base, _, counterpart = name.partition(":")
    if base not in _presets():
        raise UsageError(unknown("model", name, preset_names()))
    spec = _presets()[base]
    if not counterpart:
        return spec
    if counterpart not in _COUNTERPARTS:
        raise UsageError(unknown(f"counterpart of {base}", counterpart, _COUNTERPARTS))
    return _COUNTERPARTS[counterpart](spec)
