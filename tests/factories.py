"""Records and assessments as a run would leave them, made without a clock. Shapes are realistic; figures are invented.

Nothing here is a measurement: rates follow from made-up ceilings and a fixed pseudo-random spread.
"""

import datetime as dt
import random

from harness.model.counts import parameters
from harness.model.spec import Spec
from harness.results.assessment import Assessment, ChainLink, Evidence, InconsistentSet, Scaled, Verdict
from harness.results.plan import Variant
from harness.results.record import Ceilings, Counts, Host, MatmulCeiling, Measurement, Observation, Record
from harness.stats import Interval, median_estimate
from harness.vocabulary import Phase, RunPrecision

BEGUN = dt.datetime(2026, 4, 10, 9, 30, tzinfo=dt.UTC)
READ_BYTES_S = 21.4e9
MATMUL_FLOP_S = 412e9


def spec(**changes: object) -> Spec:
    """A small sparse architecture of the DeepSeek V3 kind."""
    fields: dict[str, object] = {
        "model_type": "deepseek_v3",
        "hidden_size": 512,
        "num_hidden_layers": 4,
        "vocab_size": 4096,
        "num_attention_heads": 8,
        "intermediate_size": 1536,
        "kv_lora_rank": 128,
        "q_lora_rank": 192,
        "qk_nope_head_dim": 32,
        "qk_rope_head_dim": 16,
        "v_head_dim": 32,
        "n_routed_experts": 128,
        "num_experts_per_tok": 4,
        "n_shared_experts": 1,
        "moe_intermediate_size": 512,
        "first_k_dense_replace": 1,
        "scoring_func": "sigmoid",
        "topk_method": "noaux_tc",
    }
    return Spec.model_validate({**fields, **changes})


def host() -> Host:
    return Host(
        cpu="Example Xeon @ 2.60GHz",
        architecture="x86_64",
        cores=2,
        last_level_cache_bytes=33 << 20,
        memory_bytes=8 << 30,
        available_bytes=6 << 30,
        instruction_sets=("avx2", "avx512f", "avx512_vnni"),
        system="Linux",
        kernel="6.1.0",
        virtual=True,
        frequency_hz=2.6e9,
        load_1min=0.08,
        python="3.11.7",
        packages=(("numpy", "2.3.0"), ("onnxruntime", "1.31.0")),
    )


def ceilings() -> Ceilings:
    reads = [READ_BYTES_S * f for f in (0.97, 0.99, 1.0, 1.01, 1.02)]
    products = [MATMUL_FLOP_S * f for f in (0.95, 0.98, 1.0, 1.01, 1.03)]
    return Ceilings(
        read_bytes_s=median_estimate(reads),
        read_kernel="sum of 1 GiB, 2 threads",
        matmul=(MatmulCeiling(precision="int8", flop_s=median_estimate(products), kernel="MatMulNBits 512x4096x4096"),),
    )


def counts(batch: int, tokens: int = 1) -> Counts:
    """Counts of the sparse model of `spec()` at eight-bit weights, uniform routing."""
    shape = spec()
    p, positions = parameters(shape), batch * tokens
    share = 1 - (1 - shape.num_experts_per_tok / shape.n_routed_experts) ** positions
    step_bytes = (p.active - p.experts_active) + p.experts_total * share
    return Counts(
        parameters_total=p.total,
        parameters_active=p.active,
        weight_bytes=p.total,
        bits_per_weight=8.25,
        bytes_per_token=step_bytes / positions,
        flop_per_token=2.0 * p.active,
        expected_experts_activated=shape.n_routed_experts * share,
        quantisation_error=0.004,
    )


def observation(rate_tok_s: float, *, round_: int, tokens: int, experts_activated: float | None = None) -> Observation:
    """Five steps at about `rate_tok_s`, of one process."""
    noise = random.Random(f"{rate_tok_s}/{round_}")
    step_s = tokens / rate_tok_s * noise.lognormvariate(0, 0.06)
    return Observation(
        round=round_,
        warmup_s=(1.6 * step_s,),
        durations_s=tuple(step_s * noise.lognormvariate(0, 0.01) for _ in range(5)),
        tokens_per_step=tokens,
        outside_s=0.0002,
        experts_activated=experts_activated,
        peak_rss_bytes=612 << 20,
        load_s=1.4,
        reference_kernel_s=(0.0101, 0.0102),
        logits_digest="a1b2c3",
        started=BEGUN + dt.timedelta(seconds=10 * round_),
    )


def measurement(
    model: str = "v4-scale",
    phase: Phase = "decode",
    batch: int = 1,
    *,
    rate_tok_s: float | None = None,
    rounds: int = 5,
    precision: RunPrecision = "int8",
    invalid: tuple[str, ...] = (),
    error: str | None = None,
) -> Measurement:
    """One case. Without a rate given it runs at 55 % of the made-up host's ceiling."""
    prompt = 128 if phase == "prefill" else 0
    counted = counts(batch, max(1, prompt))
    if rate_tok_s is None:
        reach = min(READ_BYTES_S / counted.bytes_per_token, MATMUL_FLOP_S / counted.flop_per_token)
        rate_tok_s = 0.55 * reach
    seen = counted.expected_experts_activated if ":" not in model else None
    made = [
        observation(rate_tok_s, round_=r, tokens=batch * max(1, prompt), experts_activated=seen) for r in range(rounds)
    ]
    failed = Observation(round=0, started=BEGUN, error=error)
    return Measurement(
        model=model,
        phase=phase,
        batch=batch,
        prompt_tokens=prompt,
        decode_tokens=0 if phase == "prefill" else 32,
        depth=0 if phase == "prefill" else 128,
        precision=precision,
        threads=2,
        counts=counted if ":" not in model else counted.model_copy(update={"expected_experts_activated": None}),
        observations=(failed,) if error else tuple(made),
        invalid=invalid,
    )


def record(model: str = "v4-scale", batches: tuple[int, ...] = (1, 4, 16, 32)) -> Record:
    """A complete run of a sparse model and both of its counterparts, with one case set aside and one failed."""
    cases = []
    for phase, scale in (("prefill", 1.0), ("decode", 1.0)):
        for batch in batches:
            base = measurement(model, phase, batch)  # type: ignore[arg-type]
            rate = base.rate_tok_s
            assert rate is not None
            cases.append(base)
            for counterpart, slower in (("equal-total", 9.0), ("equal-active", 1.4 / (1 + 0.05 * batch))):
                cases.append(
                    measurement(f"{model}:{counterpart}", phase, batch, rate_tok_s=scale * rate.point / slower)  # type: ignore[arg-type]
                )
    cases.append(measurement(model, "decode", 64, invalid=("reference kernel drifted by 7 %, at most 5 % is valid",)))
    cases.append(measurement(model, "decode", 128, error="needs 9.1 GiB, 6.0 GiB are available"))
    return Record(
        record_id="2026-04-10-093000-7f3a",
        name="deepseek-v4-ascend",
        created=BEGUN,
        state="complete",
        harness_version="0.1.0",
        config_digest="5f1d0c2a9b3e",
        config_text="harness: 1\nname: deepseek-v4-ascend\n",
        host=host(),
        ceilings=ceilings(),
        variants=(Variant(model=model, spec=spec(), precision="int8", threads=2),),
        measurements=tuple(cases),
        notes=("Scale model chosen to fit 6.0 GiB of available memory.",),
    )


def verdict(**changes: object) -> Verdict:
    fields: dict[str, object] = {
        "id": "prefill-per-npu",
        "statement": "CloudMatrix 384 reaches up to 6,688 prefill tokens a second per NPU.",
        "place": "paragraph 6",
        "kind": "throughput",
        "claimed": 6688.0,
        "unit": "tok/s",
        "outcome": "supported",
        "flags": ("missing-condition", "model-mismatch"),
        "reason": "The vendor's paper gives 6,688 tok/s for DeepSeek-R1 at 4,096-token prompts with perfectly balanced "
        "experts; the article drops both conditions.",
        "interval": Interval(low=2931, high=7549),
        "interval_of": "band of published systems",
        "binding": "compute",
        "missing": ("model", "prompt length", "balance of experts"),
        "stability": 1.0,
        "largest_uncertainty": "vendor term of the band",
        "evidence": (
            Evidence(
                quantity="910C, R1, prefill, 4,096-token prompts, idealised balance",
                value=6688,
                unit="tok/s",
                basis="published",
                source="Serving Large Language Models on CloudMatrix384, table 3",
                url="https://arxiv.org/abs/2506.12708",
                stance="supports",
            ),
            Evidence(
                quantity="overlap ceiling, 910C, mixed INT8 and BF16",
                value=16372,
                unit="tok/s",
                interval=Interval(low=15500, high=17200),
                basis="modelled",
                source="work and bytes of the released architecture over vendor's peaks",
                stance="allows",
                note="attention core at the BF16 peak",
            ),
        ),
    }
    return Verdict.model_validate({**fields, **changes})


def _other_verdicts() -> tuple[Verdict, ...]:
    ratio = Evidence(
        quantity="910C over H100, matched prefill",
        value=0.899,
        unit="ratio",
        interval=Interval(low=0.86, high=0.94),
        basis="published",
        source="matched pair of disclosures",
        url="https://arxiv.org/abs/2506.12708",
        stance="contradicts",
    )
    return (
        verdict(
            id="decode-per-npu",
            statement="It decodes 1,943 tokens a second per NPU.",
            claimed=1943.0,
            outcome="consistent",
            flags=("missing-condition",),
            reason="Inside the band of published decode rates; batch and time per token are not given.",
            interval=Interval(low=1822, high=4973),
            missing=("batch", "time per output token"),
            stability=0.94,
        ),
        verdict(
            id="ratio-to-h100",
            statement="The Ascend 910C reaches about 60 % of the H100's inference performance.",
            kind="chip_ratio",
            claimed=0.6,
            unit="ratio",
            outcome="refuted",
            flags=("misattributed", "superseded"),
            reason="Matched pairs of published rates give 0.90 for prefill and decode; 0.60 lies outside the interval.",
            interval=Interval(low=0.86, high=0.94),
            interval_of="ratio of matched published pairs",
            binding=None,
            missing=(),
            evidence=(ratio,),
        ),
        verdict(
            id="sparse-compute",
            statement="The sparse design keeps compute cost low.",
            kind="design",
            claimed=None,
            unit="",
            outcome="undecided",
            also="supported",
            flags=(),
            reason="The measured gain over a dense counterpart of equal total size straddles 1.5 at the largest batch.",
            interval=None,
            interval_of=None,
            binding=None,
            missing=("batch",),
            stability=0.81,
            evidence=(),
        ),
        verdict(
            id="chips-ordered",
            statement="Hundreds of thousands of chips were ordered.",
            kind="out_of_reach",
            claimed=None,
            unit="",
            outcome="out of reach",
            flags=(),
            reason="Orders are neither measured, modelled nor disclosed.",
            interval=None,
            interval_of=None,
            binding=None,
            missing=(),
            stability=None,
            largest_uncertainty=None,
            evidence=(),
        ),
    )


def _scaled() -> tuple[Scaled, ...]:
    chain = (
        ChainLink(
            text="this host, sparse, prefill of 128 tokens, batch 16", value=1234.0, unit="tok/s", basis="measured"
        ),
        ChainLink(text="this host's ceiling for the same work", value=2243.0, unit="tok/s", basis="modelled"),
        ChainLink(text="fraction of the ceiling reached here", value=0.55, unit="fraction", basis="measured"),
        ChainLink(text="a CPU's fraction is not an NPU's", basis="modelled", transferable=False),
        ChainLink(text="ceiling of a 910C for R1", value=16372.0, unit="tok/s", basis="modelled"),
        ChainLink(text="reported", value=6688.0, unit="tok/s", basis="published"),
    )
    return (
        Scaled(
            id="prefill-to-decode",
            quantity="prefill over decode, per NPU",
            reported=3.44,
            unit="ratio",
            measured=2.61,
            measured_interval=Interval(low=2.44, high=2.79),
            measured_as="sparse, prefill 128 tokens, decode batch 16",
            factor=Interval(low=1.23, high=1.41),
            hardware=Interval(low=1.9, high=4.6),
            hardware_as="ratio of the two ceilings of a 910C",
            transfers="partly",
            why="the ratio follows the two ceilings, and those differ between a CPU and an NPU",
        ),
        Scaled(
            id="prefill-rate",
            claim="prefill-per-npu",
            quantity="prefill rate per package",
            reported=6688.0,
            unit="tok/s",
            measured=1234.0,
            measured_interval=Interval(low=1190, high=1281),
            measured_as="sparse, 128-token prompts, batch 16",
            factor=Interval(low=5.22, high=5.62),
            hardware=Interval(low=15500, high=17200),
            hardware_as="overlap ceiling of a 910C",
            ceiling=16372.0,
            ceiling_fraction=0.41,
            transfers="no",
            why="tokens a second of a CPU cannot be multiplied up to an NPU's",
            chain=chain,
        ),
        Scaled(
            id="decode-rate",
            claim="decode-per-npu",
            quantity="decode rate per package",
            reported=1943.0,
            unit="tok/s",
            measured=None,
            ceiling=6018.0,
            ceiling_fraction=0.323,
            transfers="no",
            why="no comparable depth was measured",
        ),
        Scaled(
            id="h100-implied",
            quantity="H100 prefill that 0.60 implies",
            reported=11147.0,
            unit="tok/s",
            measured=None,
            ceiling=21515.0,
            ceiling_fraction=0.518,
            transfers="no",
            why="arithmetic on the article's own figures",
        ),
    )


def assessment(record_id: str | None = "2026-04-10-093000-7f3a") -> Assessment:
    return Assessment(
        sheet_id="deepseek-v4-ascend",
        sheet_title="DeepSeek's next model to run on other chips, a report says",
        record_id=record_id,
        scaled=_scaled(),
        verdicts=(verdict(), *_other_verdicts()),
        inconsistent_sets=(
            InconsistentSet(
                claims=("prefill-per-npu", "ratio-to-h100"),
                residual=0.41,
                explanation="Together they imply 11,147 tok/s on an H100, where 7,417 are published.",
                members=("6,688 tok/s per NPU", "60 % of an H100", "7,417 tok/s published for an H100"),
            ),
        ),
        transfers=(
            "Transfers: ratios at equal arithmetic intensity relative to the ridge, such as sparse over dense.",
            "Does not transfer: tokens a second, and the batch at which a step stops being bound by memory.",
        ),
    )
