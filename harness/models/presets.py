"""The architectures that run here, by name, and the dense controls derived from them. Knows no released model."""

from functools import cache
from importlib.resources import files

from harness.errors import UsageError, unknown
from harness.model.spec import Spec, dense_equal_active, dense_equal_total

_CONTROLS = {"equal-total": dense_equal_total, "equal-active": dense_equal_active}


@cache
def _presets() -> dict[str, Spec]:
    from ruamel.yaml import YAML

    text = files("harness.models").joinpath("presets.yaml").read_text(encoding="utf-8")
    return {name: Spec.model_validate(fields) for name, fields in YAML(typ="safe").load(text).items()}


def preset_names() -> tuple[str, ...]:
    """Names of the sparse presets, in the order of the file."""
    return tuple(_presets())


def preset(name: str) -> Spec:
    """The architecture called `name`, or the dense control `NAME:equal-total` or `NAME:equal-active` of it.

    Raises UsageError for an unknown name, with the nearest known one.
    """
    base, _, control = name.partition(":")
    if base not in _presets():
        raise UsageError(unknown("model", name, preset_names()))
    spec = _presets()[base]
    if not control:
        return spec
    if control not in _CONTROLS:
        raise UsageError(unknown(f"control of {base}", control, _CONTROLS))
    return _CONTROLS[control](spec)
