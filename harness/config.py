"""The types of a config file. Building one reads no file and probes no machine.

Paths are kept as they were written. The command line reads `sheet` and `catalog` from the config's own folder, so that
a config and its sheet travel together, and writes `outputs` below the folder that it was started in.
"""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from harness.model.spec import Spec
from harness.vocabulary import Frozen, Identifier, Phase, RunPrecision, Text

Path = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$", max_length=80)]
Batch = Annotated[int, Field(gt=0, le=4096)]
Threads = Annotated[int, Field(gt=0, le=1024)]
Tokens = Annotated[int, Field(gt=0, le=1 << 20)]


class RoutingOptions(Frozen):
    """How evenly experts are chosen. 0 is balanced; larger values favour some experts on purpose."""

    skew: float = Field(default=0.0, ge=0, le=10, description="preference for the first experts; 0 is balanced")


class Measure(Frozen):
    """The sweep: the product of models, precisions, threads, phases and batches."""

    models: tuple[ModelName, ...] = Field(
        min_length=1,
        max_length=32,
        description="presets ('auto' picks the article's scale model for this host); "
        "a dense counterpart is a mixture-of-experts model's name with ':equal-total' or ':equal-active'",
    )
    phases: tuple[Phase, ...] = Field(
        default=("prefill", "decode"), min_length=1, description="read prompts, generate tokens, or both"
    )
    batches: tuple[Batch, ...] = Field(default=(1,), min_length=1, max_length=32, description="sequences at once")
    prompt_tokens: Tokens = Field(default=128, description="prompt length; decode begins behind such a prompt")
    decode_tokens: Tokens = Field(default=32, description="tokens generated in a decode pass")
    depth_tokens: int = Field(
        default=0, ge=0, le=1 << 20, description="cached tokens besides the prompt when decode begins"
    )
    prefill_batches: tuple[Batch, ...] | None = Field(
        default=None, description="other batches for prefill; default: `batches`"
    )
    precisions: tuple[RunPrecision, ...] = Field(
        default=("int8",), min_length=1, description="how weights are stored and multiplied"
    )
    threads: Threads | Literal["auto"] = Field(default="auto", description="'auto': one a physical core")
    repetitions: int = Field(default=5, ge=1, le=1000, description="fresh processes for each case")
    seed: int = Field(default=0, ge=0, lt=1 << 32, description="of weights, tokens and order")
    routing: RoutingOptions = Field(default=RoutingOptions(), description="how evenly experts are chosen")
    step_time_s: float = Field(default=0.4, gt=0, le=3600, description="timed length of a case in one process")
    process_timeout_s: float = Field(
        default=120.0, gt=0, le=86400, description="a measuring process that takes longer is ended and counts as failed"
    )
    time_budget_s: float | None = Field(default=None, gt=0, le=86400, description="no further round starts after it")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for name in ("models", "phases", "batches", "prefill_batches", "precisions"):
            entries = getattr(self, name) or ()
            twice = next((e for i, e in enumerate(entries) if e in entries[:i]), None)
            if twice is not None:
                raise ValueError(f"{name} names {twice} twice")
        return self


class Outputs(Frozen):
    """Files written after a run, beside what is printed; relative to the folder that the program was started in."""

    json_file: Path | None = Field(default=None, alias="json", description="record and verdicts, for programs")
    html: Path | None = Field(default=None, description="one self-contained page")
    markdown: Path | None = Field(default=None, description="a report for a pull request")


class Config(Frozen):
    """A config file. `harness run FILE` carries it out."""

    harness: Literal[1] = Field(description="version of the config's schema")
    name: Identifier = Field(description="of the run: small letters, digits, '.', '_', '-'")
    label: Text | None = Field(default=None, max_length=200, description="a word to find the run by")
    measure: Measure = Field(description="what is measured")
    specs: dict[ModelName, Spec] = Field(default={}, description="architectures of your own, by name")
    sheet: Path | None = Field(default=None, description="claim sheet to judge, relative to this file")
    as_of: dt.date | None = Field(
        default=None, description="judge by what was public on this day; default: by all that is known"
    )
    catalog: tuple[Path, ...] = Field(default=(), description="your own chips, models and rates, relative to this file")
    chips: tuple[Identifier, ...] = Field(
        default=(), max_length=32, description="chips whose ceilings are set beside the claims"
    )
    outputs: Outputs = Field(default=Outputs(), description="files written after a run")
