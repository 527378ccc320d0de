"""Every number that a verdict turns on, with where it comes from. Computes nothing."""

ARTEFACT_TOLERANCE = 0.05
"""Off a primary artefact by more is refuted. Totals printed to two digits (37 B for 37.6 B, 1.6 T for 1.572 T) and
counting conventions (embedding in or out: 36.6 to 37.6 B) stay below 3 %; different models differ by more than 10 %."""

IDENTITY_TOLERANCE = 0.03
"""Breaks an identity. The consistent rows of the CloudMatrix384 tables keep batch / TPOT = rate to 0.3 %; figures
printed to two digits can be off by 2.5 %."""

CEILING_SLACK = 1.03
"""Above the most generous ceiling by more is refuted: room for rounding, since the ceiling itself takes the most
generous of disagreeing sources."""

SAME_FIGURE = 0.005
"""Two figures this close are one figure repeated: three printed digits."""

STABLE_SHARE = 0.90
"""Share of the completions of what is missing that must agree before their outcome is the verdict."""

DRAWS = 48
"""Completions drawn where a condition is missing. Their share is known to about 0.07 (binomial, at 0.9: 0.04)."""

SEED = 20260424
"""Of the draws: a verdict never depends on when it is asked."""

COMPUTE_GAIN = 1.5
"""'Keeps compute low' needs a gain in prefill over dense of equal total size above this. Fixed before anything was
measured; the article's own ratio of 1000 to 37 would allow 27."""

LATENCY_LOSS = 2.0
"""'Keeps latency low' as a blanket statement falls where sparse is slower than dense of equal active size by more."""

COVERAGE_TOLERANCE = 0.03
"""Measured distinct experts against U(B) under uniform routing; beyond it the measured ratios are of another model."""

EXCLUDED_LEVEL = 0.99
"""A measured ratio refutes only where its interval at this level lies wholly on the other side."""
