"""A mixture-of-experts (MoE) model measured here, and the claims of an article about hardware that is not here judged.

The public functions, each with a command of its name:

    judge(sheet, record=None, catalog=())     a claim sheet by physics, publications and measurements
    run(config)                               measure what a config asks for, and judge its sheet
    bench(model, prompt=512, batch=[1, 4])    prefill and decode rates over a grid of settings
    compare(a, b)                             result tables of this and other tools
    project(model=, chip=, phase=)            what a released model could do on a chip
    tunnel(sheet)                             the cases here that match a sheet's figures
    history(), ab(), calibrate(), self_test() over time, in turn, this host's error rates, the judges' own
    import_rates(files)                       published results as rates of a catalog file
    load_sheet, load_config, load_record, load_table

Results are frozen values with `to_dict()`, `to_json()`, `rows()`, `to_frame()` (with pandas), and they show in a
notebook. Importing this module loads nothing else: what a function needs is imported when it is first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.api.ab import Order, ab
    from harness.api.bench import bench
    from harness.api.calibration import calibrate
    from harness.api.catalog_import import Stated, import_rates
    from harness.api.compare import Choices, compare, history
    from harness.api.judge import judge, self_test
    from harness.api.loading import load_config, load_record, load_sheet, load_table
    from harness.api.project import project
    from harness.api.run import run
    from harness.api.session import Session
    from harness.api.sides import Wanted
    from harness.api.tunnel import tunnel
    from harness.errors import HarnessError

    __version__: str

_HOMES = {
    "Choices": "compare",
    "Order": "ab",
    "Session": "session",
    "Stated": "catalog_import",
    "Wanted": "sides",
    "ab": "ab",
    "bench": "bench",
    "calibrate": "calibration",
    "compare": "compare",
    "history": "compare",
    "import_rates": "catalog_import",
    "judge": "judge",
    "load_config": "loading",
    "load_record": "loading",
    "load_sheet": "loading",
    "load_table": "loading",
    "project": "project",
    "run": "run",
    "self_test": "judge",
    "tunnel": "tunnel",
}

__all__ = [
    "Choices",
    "HarnessError",
    "Order",
    "Session",
    "Stated",
    "Wanted",
    "__version__",
    "ab",
    "bench",
    "calibrate",
    "compare",
    "history",
    "import_rates",
    "judge",
    "load_config",
    "load_record",
    "load_sheet",
    "load_table",
    "project",
    "run",
    "self_test",
    "tunnel",
]


def __getattr__(name: str) -> object:
    """A public name, from where it is defined (PEP 562)."""
    from importlib import import_module

    if name == "__version__":
        return import_module("harness.files.installed").installed_version("harness")
    if name == "HarnessError":
        return import_module("harness.errors").HarnessError
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute '{name}'; its public names: {', '.join(__all__)}")
    return getattr(import_module(f"harness.api.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
