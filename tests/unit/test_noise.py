"""What is noisy is said to be so, and what cannot be read is unknown, not fine."""

from pathlib import Path

from harness.measure.host.noise import Look, Sign, _processors, signs

QUIET = Look(steal_s=0.0, others=((7, "idle", 1.0),))


def named(found: tuple[Sign, ...]) -> dict[str, Sign]:
    return {s.name: s for s in found}


def test_an_unreadable_host_is_unknown(tmp_path: Path) -> None:
    found = named(signs(QUIET, QUIET, 3.0, [1.0, 1.01, 0.99], tmp_path))
    for name in ("frequency governor", "hardware threads", "memory pressure", "cpu pressure", "virtual machine"):
        assert found[name].state == "unknown"
    assert {found[n].state for n in ("reference kernel", "other processes", "steal")} == {"fine"}


def test_a_neighbour_and_a_hypervisor_are_named(tmp_path: Path) -> None:
    after = Look(steal_s=0.3, others=((7, "idle", 1.0), (9, "new", 50.0), (8, "busy", 5.0)))
    before = Look(steal_s=0.0, others=((7, "idle", 1.0), (8, "busy", 2.0)))
    found = named(signs(before, after, 3.0, [1.0, 1.5, 0.7, 1.2], tmp_path))
    assert "busy (8) 100 %" in found["other processes"].found and "new" not in found["other processes"].found
    assert {found[n].state for n in ("reference kernel", "other processes", "steal")} == {"noisy"}
    assert all(s.advice for s in found.values() if s.state == "noisy")


def test_settings_of_the_kernel_are_read(tmp_path: Path) -> None:
    for name, text in {
        "proc/pressure/memory": "some avg10=0.0 avg60=7.5 avg300=0 total=1\nfull avg60=0",
        "sys/devices/system/cpu/smt/active": "1",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = named(signs(QUIET, QUIET, 3.0, [1.0], tmp_path))
    assert found["memory pressure"].state == "noisy" and "7.50 %" in found["memory pressure"].found
    assert found["hardware threads"].state == "note"


def test_few_processors_are_noted() -> None:
    assert _processors(2).state == "note" and "threads: 1" in _processors(2).advice
    assert _processors(1).advice == "" and _processors(8).state == "fine"


def test_processes_that_came_and_went_count(tmp_path: Path) -> None:
    before, after = (QUIET.model_copy(update={"other_s": s}) for s in (10.0, 13.0))
    found = named(signs(before, after, 3.0, [1.0, 1.01], tmp_path))["other processes"]
    assert found.state == "noisy" and "100 %" in found.found
