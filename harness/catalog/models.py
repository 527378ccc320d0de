"""Architectures by name: released models with their makers' counts, and the presets that run here."""

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import Field

from harness.catalog.citation import Citation, EntryFile, Key, named, shipped, source_of
from harness.errors import UsageError, unknown
from harness.model.counts import COUNTERPART_OF
from harness.model.spec import Spec
from harness.vocabulary import Frozen


class _Length(Frozen):
    """A longest context in tokens: native (of pretraining), extended (by stretched positions), or released later."""

    kind: Literal["native", "extended", "released"]
    tokens: int = Field(gt=0, lt=1e9)


class Context(_Length):
    """A longest context that a source states."""

    source: Citation


class ContextEntry(_Length):
    """A longest context, as it is written in a catalog file."""

    source: Key


class _Architecture(Frozen):
    """What a released model and its entry in a catalog file have in common."""

    title: str
    vendor: str
    published_total: float = Field(gt=0, lt=1e18, description="parameters, as published")
    published_active: float = Field(gt=0, lt=1e18, description="parameters used for a token, as published")
    released: str | None = Field(
        default=None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="day of release; None: not looked up"
    )
    note: str | None = None
    spec: Spec


class ReleasedModel(_Architecture):
    """One released architecture, with the parameter counts that its maker publishes."""

    name: str
    source: Citation
    contexts: tuple[Context, ...] = ()


class ModelEntry(_Architecture):
    """One released model, as it is written in a catalog file."""

    source: Key
    contexts: tuple[ContextEntry, ...] = Field(default=(), description="none: max_position_embeddings")


def to_model(name: str, entry: ModelEntry, sources: dict[str, Citation]) -> ReleasedModel:
    """The model that `entry` describes. Raises UsageError for a source that is not listed."""
    contexts = tuple(Context(**{**dict(c), "source": source_of(c.source, sources)}) for c in entry.contexts)
    own = {"name": name, "source": source_of(entry.source, sources), "contexts": contexts}
    return ReleasedModel(**{**dict(entry), **own})


@cache
def released_models() -> tuple[ReleasedModel, ...]:
    """All built-in released models, in the file's order."""
    return shipped("models", EntryFile[ModelEntry], to_model)


def released_names() -> tuple[str, ...]:
    return tuple(model.name for model in released_models())


def released(name: str) -> ReleasedModel:
    """The released model of that name. Raises UsageError, naming the nearest known one."""
    return named("model", name, released_models())


@cache
def _presets() -> dict[str, Spec]:
    from ruamel.yaml import YAML

    text = files("harness.catalog").joinpath("presets.yaml").read_text(encoding="utf-8")
    return {name: Spec.model_validate(fields) for name, fields in YAML(typ="safe").load(text).items()}


def preset_names() -> tuple[str, ...]:
    """Names of the mixture-of-experts presets, in the order of the file."""
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
    if counterpart not in COUNTERPART_OF:
        raise UsageError(unknown(f"counterpart of {base}", counterpart, COUNTERPART_OF))
    return COUNTERPART_OF[counterpart](spec)
