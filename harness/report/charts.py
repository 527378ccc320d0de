"""Charts drawn as static SVG, with colours that the page decides.
Vega-Lite draws; importing it takes a while, so only a page pays for it. Colours are CSS variables: the same drawing
serves light and dark. Shape and dash repeat what colour says. Every scale is logarithmic: equal ratios look equal.
"""

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import units
from harness.files.text import printable_line
from harness.report.blocks import Chart, ReportedData, Roof, RooflineData, ThroughputData
from harness.stats import LEVEL, Estimate
from harness.vocabulary import ModelRole

if TYPE_CHECKING:
    import altair as alt

# Altair's chained calls return unions that no next call accepts; a drawing is checked by drawing it.
Drawing = Any

WIDTH = 380  # of the plot, in CSS pixels: with its axis it still reads on a phone of 390
HEIGHT = 250
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
ROW_HEIGHT = 46
ASIDE = 5

_SHAPES: dict[ModelRole, str] = {
    "moe": "circle",
    "equal-total": "square",
    "equal-active": "diamond",
    "other": "triangle",
}
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])

Row = Mapping[str, str | float | None]
Rows = Sequence[Row]


def svg(chart: Chart) -> str:
    """`chart` as one `<svg>` element, titled and described for those who do not see it."""
    import vl_convert

    match chart.data:
        case ThroughputData():
            drawing = _throughput(chart.data)
        case RooflineData():
            drawing = _roofline(chart.data)
        case ReportedData():
            drawing = _reported(chart.data)
    # No data may be fetched from anywhere while drawing.
    return _labelled(vl_convert.vegalite_to_svg(_styled(drawing).to_dict(), allowed_base_urls=[]), chart)


def _throughput(data: ThroughputData) -> Drawing:
    import altair as alt

    rows: list[Row] = [
        {"series": i, "name": printable_line(s.name), "batch": p.batch, **_spread(p.rate_tok_s)}
        for i, s in enumerate(data.series)
        for p in s.points
    ]
    names = [(printable_line(s.name), s.role) for s in data.series]
    x = alt.X(
        "batch:Q", title="batch", scale=_log(_reach(rows, "batch"), 1.15), axis=_axis(sorted(_seen(rows, "batch")))
    )
    y = alt.Y("rate:Q", title="tokens a second", **_log_axis(rows, "rate", "low", "high"))
    colour, shape, dash = _by_name(names)
    layers = []
    for i in range(len(names)):
        shown = _chart([row for row in rows if row["series"] == i])
        # Models measured at one batch stand side by side, or their intervals would hide each other.
        aside = ASIDE * (i - (len(names) - 1) / 2)
        layers += [
            shown.mark_line(strokeWidth=2, xOffset=aside).encode(x=x, y=y, color=colour, strokeDash=dash),
            *_measured_marks(shown, x, y, colour, shape, aside),
        ]
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)


def _roofline(data: RooflineData) -> Drawing:
    import altair as alt

    rows: list[Row] = [
        {"name": f"{printable_line(p.name)}, {p.phase}", "intensity": p.flop_per_byte, **_spread(p.flop_s)}
        for p in data.points
    ]
    names = list(dict.fromkeys((f"{printable_line(p.name)}, {p.phase}", p.role) for p in data.points))
    ridges: list[Row] = [{"intensity": roof.flop_s / roof.read_bytes_s} for roof in data.roofs]
    left, right = _reach([*rows, *ridges], "intensity")
    left, right = left / 1.6, right * 1.6
    roofs = _roofs(data.roofs, left, right)
    x_scale = alt.Scale(type="log", domain=[left, right], nice=False)
    x = alt.X("intensity:Q", title="FLOP a byte", scale=x_scale, axis=_axis(_ticks(left, right)))
    y = alt.Y("rate:Q", title="FLOP a second", **_log_axis([*rows, *roofs], "rate", "low", "high", "roof"))
    colour, shape, _ = _by_name(names, other_shape="prefill")
    marks = (*_roof_marks(data.roofs, roofs, x), *_measured_marks(_chart(rows), x, y, colour, shape))
    return alt.layer(*marks).properties(width=WIDTH, height=HEIGHT)


def _spread(e: Estimate) -> Row:
    return {"rate": e.point, "low": e.low, "high": e.high}


def _measured_marks(
    shown: Drawing, x: "alt.X", y: "alt.Y", colour: "alt.Color", shape: "alt.Shape", aside: float = 0
) -> tuple[Drawing, Drawing]:
    """An interval where there is one, and the point on it."""
    known = shown.transform_filter("isValid(datum.low)")
    return (
        known.mark_rule(strokeWidth=2, xOffset=aside, x2Offset=aside).encode(x=x, y="low:Q", y2="high:Q", color=colour),
        shown.mark_point(size=60, filled=True, opacity=1, xOffset=aside).encode(x=x, y=y, color=colour, shape=shape),
    )


def _roofs(roofs: Sequence[Roof], left: float, right: float) -> list[Row]:
    """Each roof's slope, ridge and flat end, as the corners of a line."""
    return [
        {"precision": roof.precision, "intensity": at, "roof": min(at * roof.read_bytes_s, roof.flop_s)}
        for roof in roofs
        for at in (left, roof.flop_s / roof.read_bytes_s, right)
    ]


def _roof_marks(roofs: Sequence[Roof], corners: list[Row], x: "alt.X") -> tuple[Drawing, ...]:
    """The roofs' lines, each named where it is flat, and the slope named once in the empty corner above it."""
    left, right = _reach(corners, "intensity")
    flat: list[Row] = [
        {"intensity": right, "roof": roof.flop_s, "text": f"{roof.precision}: {units.si(roof.flop_s, 'FLOP/s')}"}
        for roof in roofs
    ]
    slope = roofs[0].read_bytes_s
    top = max(roof.flop_s for roof in roofs)
    reading: list[Row] = [{"intensity": left, "roof": top, "text": f"slope: reading {units.si(slope, 'B/s')}"}]
    muted: dict[str, Any] = {"color": "var(--muted)", "fontSize": 11}
    return (
        _chart(corners).mark_line(color="var(--roof)", strokeWidth=2).encode(x=x, y="roof:Q", detail="precision:N"),
        _chart(flat).mark_text(align="right", dy=-8, **muted).encode(x=x, y="roof:Q", text="text:N"),
        _chart(reading).mark_text(align="left", dx=6, dy=-8, **muted).encode(x=x, y="roof:Q", text="text:N"),
    )


def _reported(data: ReportedData) -> Drawing:
    import altair as alt

    rows: list[Row] = [
        {
            "row": i,
            "label": printable_line(r.name) + (f" · {r.outcome}" if r.outcome else ""),
            "reported": r.reported_tok_s,
            "ceiling": r.ceiling_tok_s,
            "low": max(0.0, r.usual_tok_s.low) if r.usual_tok_s else None,
            "high": r.usual_tok_s.high if r.usual_tok_s else None,
        }
        for i, r in enumerate(data.rates)
    ]
    scale = _log(_reach(rows, "reported", "ceiling", "low", "high"), 1.3)
    left, right = scale.domain
    # A logarithmic scale has no zero: a range from nothing begins at the edge.
    rows = [{**row, "low": left if row["low"] == 0 else row["low"]} for row in rows]
    x_axis = _axis(_ticks(left, right))
    y = alt.Y("row:O", axis=None)
    shown = _chart(rows)

    def x(field: str) -> "alt.X":
        return alt.X(f"{field}:Q", title="tokens a second", scale=scale, axis=x_axis)

    def known(field: str, what: str) -> Drawing:
        return shown.transform_filter(f"isValid(datum.{field})").transform_calculate(what=f"'{what}'")

    usual = f"usual, {units.percent(LEVEL)}"
    colour = _key("reported", usual, "ceiling")
    return alt.layer(
        known("low", usual).mark_rule(strokeWidth=12, opacity=1).encode(x=x("low"), x2="high:Q", y=y, color=colour),
        known("ceiling", "ceiling")
        .mark_tick(thickness=3, size=20, opacity=1)
        .encode(x=x("ceiling"), y=y, color=colour),
        known("reported", "reported")
        .mark_point(size=90, filled=True, opacity=1, shape="circle", stroke="var(--card)", strokeWidth=2)
        .encode(x=x("reported"), y=y, color=colour),
        shown.mark_text(align="left", dy=-17, fontSize=12, color="var(--ink)", limit=WIDTH).encode(
            x=alt.value(2), y=y, text="label:N"
        ),
    ).properties(width=WIDTH, height=alt.Step(ROW_HEIGHT))


def _key(reported: str, usual: str, ceiling: str) -> "alt.Color":
    import altair as alt

    colours = {reported: "var(--reported)", usual: "var(--usual)", ceiling: "var(--roof)"}
    legend = alt.Legend(title=None, orient="top", direction="horizontal", symbolType="square", symbolOpacity=1)
    return alt.Color("what:N", scale=alt.Scale(domain=[*colours], range=[*colours.values()]), legend=legend)


def _by_name(
    names: Sequence[tuple[str, ModelRole]], other_shape: str | None = None
) -> "tuple[alt.Color, alt.Shape, alt.StrokeDash]":
    """Colour and shape by role; a second series of a role is dashed. `other_shape` ends the names of triangles."""
    import altair as alt

    domain = [name for name, _ in names]
    looks: Any = {"direction": "vertical", "columns": 1, "symbolStrokeWidth": 2, "symbolOpacity": 1}
    legend = alt.Legend(title=None, orient="top", labelLimit=WIDTH, **looks)
    seen: dict[ModelRole, int] = {}
    dashes = []
    for _, role in names:
        dashes.append(_DASHES[seen.get(role, 0) % len(_DASHES)])
        seen[role] = seen.get(role, 0) + 1
    colours = [f"var(--{role})" for _, role in names]
    shapes = ["triangle-up" if other_shape and name.endswith(other_shape) else _SHAPES[role] for name, role in names]
    return (
        alt.Color("name:N", scale=alt.Scale(domain=domain, range=colours), legend=legend),
        alt.Shape("name:N", scale=alt.Scale(domain=domain, range=shapes), legend=legend),
        alt.StrokeDash("name:N", scale=alt.Scale(domain=domain, range=dashes), legend=None),
    )


def _chart(rows: Rows) -> Drawing:
    import altair as alt

    return alt.Chart({"values": [dict(row) for row in rows]})


def _seen(rows: Rows, *fields: str) -> list[float]:
    """What a logarithmic scale can show of some fields' values."""
    values = [v for row in rows for f in fields if (v := row.get(f)) is not None and not isinstance(v, str)]
    return [float(v) for v in values if v > 0]


def _reach(rows: Rows, *fields: str) -> tuple[float, float]:
    values = _seen(rows, *fields)
    return min(values), max(values)


def _log(reach: tuple[float, float], margin: float) -> "alt.Scale":
    import altair as alt

    return alt.Scale(type="log", domain=[reach[0] / margin, reach[1] * margin], nice=False)


def _log_axis(rows: Rows, *fields: str) -> dict[str, Any]:
    scale = _log(_reach(rows, *fields), 1.25)
    return {"scale": scale, "axis": _axis(_ticks(*scale.domain))}


def _axis(values: Iterable[float]) -> "alt.Axis":
    import altair as alt

    return alt.Axis(values=sorted(set(values)), format="~s", labelOverlap=True)


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 of each decade between the ends; powers of ten alone where those would crowd."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [m * 10.0**e for e in decades for m in steps if low <= m * 10.0**e <= high]
        if len(ticks) <= 7:
            break
    return ticks


def _styled(drawing: Drawing) -> Drawing:
    return (
        drawing.configure(background="transparent", font=FONT, padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor="var(--muted)",
            titleColor="var(--muted)",
            gridColor="var(--grid)",
            domainColor="var(--axis)",
            tickColor="var(--axis)",
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
        )
        .configure_legend(labelColor="var(--ink)", labelFontSize=12, rowPadding=3)
    )


def _labelled(drawing: str, chart: Chart) -> str:
    """The drawing as one image with a title and a description, its inner ids made unique in a page."""
    name = chart.name
    drawing = re.sub(r'\bid="', f'id="{name}-', drawing)
    drawing = re.sub(r"url\(#", f"url(#{name}-", drawing)
    head, _, rest = drawing.partition(">")
    said = (
        f'<title id="{name}-title">{html.escape(printable_line(chart.title))}</title>'
        f'<desc id="{name}-desc">{html.escape(printable_line(chart.description))}</desc>'
    )
    return f'{head} role="img" aria-labelledby="{name}-title {name}-desc">{said}{rest}'
