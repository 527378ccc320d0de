"""Which cases here match a sheet's reported figures in the dimensionless groups. Measures nothing.

The host's ceilings are those of a record; where none is stored, rough rates of a processor core stand in, and the
result says so.
"""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from harness.api.loading import load_catalog, load_record, load_sheet
from harness.api.result import Tunnelled
from harness.api.session import STORE
from harness.catalog import models
from harness.catalog.chips import Chip, Peak
from harness.catalog.citation import Citation, Figure
from harness.catalog.collection import Catalog
from harness.claims import Sheet
from harness.errors import StoreError, UsageError
from harness.measure import needs, planner
from harness.measure.host import description
from harness.model.counts import COUNTERPART_OF
from harness.model.spec import Spec
from harness.results.counting import counts
from harness.results.plan import Task, Timing, Variant, Workload
from harness.results.record import Ceilings, Host, Record
from harness.roofline.matched_case import (
    GRIDS,
    Candidate,
    CaseCost,
    CaseGrid,
    Match,
    ScaleCase,
    candidates,
    closest,
    scale_models,
)
from harness.roofline.similarity import groups
from harness.store.runs import Store
from harness.verdict.knowledge import knowledge_of
from harness.verdict.reported import ChipWorkload, MatchedFigure, reported_figures
from harness.vocabulary import Phase

PROCESSES = 5
"""Fresh processes for a case that a verdict may rest on."""
BUDGET_S = 180.0
DECODED = 8
"""Tokens generated in a pass, for sizing."""
LANES = 4
"""8-bit products that the instructions for them form in place of one in fp32 (AVX-512 VNNI, NEON dot products)."""
STORED_LOOKED_AT = 50


def tunnel(
    sheet: str | os.PathLike[str] | Sheet,
    *,
    record: str | os.PathLike[str] | Record | None = None,
    models_tried: Sequence[str] = (planner.AUTO,),
    budget_s: float = BUDGET_S,
    catalog: Sequence[str | os.PathLike[str]] | Catalog = (),
    store: str | os.PathLike[str] | None = None,
) -> Tunnelled:
    """The closest case here to each workload whose rate `sheet` reports, and to both sides of its ratios.

    `record` (a file or a stored run) gives this host's ceilings; default: its latest run that measured them. Of
    `models_tried`, 'auto' lets the scale model's dimensions vary. The cases together may take `budget_s` to measure,
    and half of the free memory. Raises UsageError for what cannot be read as given, StoreError for a run that is not
    there.
    """
    here = description.describe()
    read, knowledge = load_sheet(sheet), knowledge_of(load_catalog(catalog))
    host, source = _host_chip(here, record, Path(store or STORE))
    figures = reported_figures(read, knowledge)
    wanted = tuple(dict.fromkeys(_key(side) for figure in figures for side in figure.sides))
    limit = CaseCost(planner.AUTO_MEMORY_SHARE * here.available_bytes, budget_s / max(1, len(wanted)))
    search = _Search(_models(models_tried), host, limit, here.cores)
    found = tuple(
        MatchedFigure(
            figure,
            tuple(groups(s.model.spec, s.chip, s.deployment, s.phase) for s in figure.sides),
            tuple(search.match(s) for s in figure.sides),
        )
        for figure in figures
    )
    return Tunnelled(
        sheet=read.id,
        host=host,
        host_source=source,
        memory_bytes=limit.memory_bytes,
        budget_s=budget_s,
        figures=found,
    )


def _key(side: ChipWorkload) -> str:
    """Workloads that are one and the same, whoever states them."""
    return side.model_copy(update={"source": ""}).model_dump_json()


class _Search:
    """The candidates of each phase, sparse and dense, and matches that were found."""

    def __init__(self, models_tried: tuple[tuple[str, Spec], ...], host: Chip, limit: CaseCost, threads: int):
        self.models, self.host, self.limit = models_tried, host, limit
        self.cost_of = cache(lambda case: _cost(case, threads))
        self.tried: dict[tuple[Phase, bool], tuple[Candidate, ...]] = {}
        self.found: dict[str, Match] = {}

    def match(self, side: ChipWorkload) -> Match:
        key = _key(side)
        if key not in self.found:
            there = groups(side.model.spec, side.chip, side.deployment, side.phase)
            tried = self._tried(side.phase, side.model.spec.is_sparse)
            self.found[key] = closest(there, tried, self.host, self.limit, self.cost_of)
        return self.found[key]

    def _tried(self, phase: Phase, sparse: bool) -> tuple[Candidate, ...]:
        if (phase, sparse) not in self.tried:
            of_kind = self.models if sparse else _dense(self.models)
            grid: CaseGrid = GRIDS[phase]
            self.tried[phase, sparse] = candidates(of_kind, self.host, phase, grid, self.cost_of)
        return self.tried[phase, sparse]


def _models(names: Sequence[str]) -> tuple[tuple[str, Spec], ...]:
    """The models to try; 'auto' stands for the scale models and those derived from them. Raises UsageError."""
    found: list[tuple[str, Spec]] = []
    for name in names:
        if name == planner.AUTO:
            found += scale_models([(n, models.preset(n)) for n in planner.AUTO_CANDIDATES])
        else:
            found.append((name, models.preset(name)))
    return tuple(found)


def _dense(tried: tuple[tuple[str, Spec], ...]) -> tuple[tuple[str, Spec], ...]:
    """Dense models among those tried, and the equal-active counterparts of presets."""
    own = [(name, spec) for name, spec in tried if not spec.is_sparse]
    presets = [(name, spec) for name, spec in tried if spec.is_sparse and name in models.preset_names()]
    return (*own, *((f"{name}:equal-active", COUNTERPART_OF["equal-active"](spec)) for name, spec in presets))


def _cost(case: ScaleCase, threads: int) -> CaseCost:
    """Modelled, as runs are sized; a step of several positions is taken to cost as many steps."""
    decoded = DECODED if case.phase == "decode" else 0
    workload = Workload(phase=case.phase, batch=case.batch, prompt_tokens=case.tokens, decode_tokens=decoded)
    variant = Variant(model=case.model, spec=case.spec, precision="int8", threads=threads)
    timing = Timing(warmup_steps=1, min_steps=2, min_time_s=0.4)
    task = Task(kind="variant", round=0, variant=variant, workloads=(workload,), threads=threads, timing=timing)
    seconds = needs.workload_duration_s(task, workload) * case.positions
    return CaseCost(float(needs.variant_bytes(variant, (workload,))), PROCESSES * seconds)


def _host_chip(here: Host, record: str | os.PathLike[str] | Record | None, store: Path) -> tuple[Chip, str]:
    """This host as a chip, and in words where its figures are from."""
    found = _latest(here, store) if record is None else load_record(record, store=store)
    if found is None or found.ceilings is None:
        if record is not None:
            raise UsageError(f"{record}: that run measured no ceilings, expected one of harness run or harness bench")
        cores = here.cores
        rough = needs.CORE_READ_BYTES_S * cores, needs.CORE_FLOP_S * cores, needs.CORE_FLOP_S * cores / LANES
        words = (
            f"rough rates of {cores} processor cores, not measured: no run of this host is stored; "
            "harness run quick measures its ceilings"
        )
        return _chip(rough, words, measured=False), words
    return _measured(found.ceilings, found.record_id)


def _measured(ceilings: Ceilings, name: str) -> tuple[Chip, str]:
    int8, fp32 = ceilings.matmul_flop_s("int8"), ceilings.matmul_flop_s("fp32")
    known = int8.point if int8 else fp32.point * LANES if fp32 else None
    if known is None:
        raise UsageError(f"run {name} measured no products in int8 or fp32, expected a run with either")
    words = f"measured in run {name}"
    if int8 is None or fp32 is None:
        missing, have = ("int8", "fp32") if int8 is None else ("fp32", "int8")
        relation = f"{LANES} times" if int8 is None else "a quarter of"
        words += f"; it has no products in {missing}, which are taken at {relation} those in {have}"
    rates = ceilings.read_bytes_s.point, known, fp32.point if fp32 else known / LANES
    return _chip(rates, words, measured=True), words


def _chip(rates: tuple[float, float, float], source: str, *, measured: bool) -> Chip:
    """A chip that reads so many bytes a second and forms so many products in int8 and in fp32. Attention runs in fp32,
    whose peak stands where a chip's BF16 peak does."""
    cited = Citation(title=source, grade="A" if measured else "D", how_seen="computed")
    read, int8, fp32 = ((Figure(value=rate, source=cited),) for rate in rates)
    return Chip(
        name="this-host",
        title="this host",
        vendor="this host",
        peaks=(
            Peak(precision="int8", supported=True, dense_flop_s=int8),
            Peak(precision="bf16", supported=True, dense_flop_s=fp32),
        ),
        bandwidth_bytes_s=read,
    )


def _latest(here: Host, path: Path) -> Record | None:
    """The latest stored run of this host that measured its ceilings."""
    if not path.exists():
        return None
    with Store(path, write=False) as store:
        for listed in tuple(reversed(store.runs()))[:STORED_LOOKED_AT]:
            try:
                record = store.load(listed.record_id, counts=counts)
            except StoreError:  # damaged, or not whole yet
                continue
            if record.ceilings is not None and record.host.fingerprint == here.fingerprint:
                return record
    return None
