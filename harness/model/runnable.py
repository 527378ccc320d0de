"""Which architectures the graphs can compute. Knows no host and no precision."""

from harness.model.spec import Spec


def why_not_run(spec: Spec) -> str | None:
    """Why `spec` is modelled here and not run, as the end of a sentence about it; None where it runs."""
    if spec.attention == "v4" or spec.index_topk is not None:
        return (
            f"attends sparsely over its context ({spec.model_type}), which is modelled here and not run; expected a "
            "model with full attention"
        )
    if spec.attention == "gqa" and (spec.head_dim or 0) % 8:
        return f"has a head_dim of {spec.head_dim}; grouped attention runs with heads of a multiple of 8"
    return None
