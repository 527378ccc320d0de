"""Documents from strangers: what is refused, where the message points, and what is never silently changed."""

import json
import math
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from harness.errors import UsageError
from harness.files import reader, text, validation
from harness.files.tree import Document, Mark, Plain
from harness.vocabulary import Frozen


def parse(text: str) -> Document:
    return reader.parse(text, path=Path("f.yaml"), what="config")


def plain(text: str) -> Plain:
    return parse(text).plain()


def refusal(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse(text)
    return str(caught.value)


def test_scalars_follow_yaml_1_2() -> None:
    text = "{a: no, b: 010, c: 0o10, d: 0x1F, e: 1e3, f: ~, g: true, h: 2026-04-30, i: 12:30, j: 1_000, k: '5', l: .5}"
    assert plain(text) == {
        "a": "no",
        "b": 10,
        "c": 8,
        "d": 31,
        "e": 1000.0,
        "f": None,
        "g": True,
        "h": "2026-04-30",
        "i": "12:30",
        "j": "1_000",
        "k": "5",
        "l": 0.5,
    }


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "f.yaml:", "empty"),
        ("# only a comment\n", "f.yaml:", "empty"),
        ("a: 1\na: 2\n", "f.yaml:2:1:", "'a' a second time (first in line 1)"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1:", "second document"),
        ("a: .nan\n", "f.yaml:1:4:", "finite"),
        ("a: -.inf\n", "f.yaml:1:4:", "finite"),
        ("a: 1e999\n", "f.yaml:1:4:", "too large"),
        ("a: -2e30\n", "f.yaml:1:4:", "expected at most 1e+30"),
        ("a: 1e-31\n", "f.yaml:1:4:", "too small"),
        ("a: -1.5e-999\n", "f.yaml:1:4:", "expected 0, or at least 1e-30"),
        (f"a: {'9' * 31}\n", "f.yaml:1:4:", "31 digits"),
        ("1: a\n", "f.yaml:1:1:", "key that is not text"),
        ("? [a]\n: b\n", "f.yaml:1:3:", "key that is not text"),
        ("null: a\n", "f.yaml:1:1:", "key that is not text"),
        ("a: !!python/object:os.system x\n", "f.yaml:1:4:", "not known"),
        ("a: !!int x\n", "f.yaml:1:4:", "tagged as int"),
        ("a: *b\n", "f.yaml:1:4:", "refers to nothing"),
        ("a: &a [*a]\n", "f.yaml:1:8:", "refers to nothing"),
        ('a: "\\0"\n', "f.yaml:1:4:", "U+0000"),
        ('a: "\\e[31m"\n', "f.yaml:1:4:", "U+001B"),
        ('a: "\\U0011FFFF"\n', "f.yaml:", "not valid YAML"),
        ("a: \x1b[31m\n", "f.yaml:1:4:", "U+001B"),
        ("a: x\u202ey\n", "f.yaml:1:5:", "U+202E"),
        ("a: [1, 2\n", "f.yaml:2:1:", "not valid YAML"),
        ("a: b: c\n", "f.yaml:1:5:", "not valid YAML"),
        ("a:\n\t- b\n", "f.yaml:2:1:", "not valid YAML"),
        ("%YAML 1." + "9" * 5000 + "\n--- a", "f.yaml:", "not valid YAML"),
    ],
)
def test_refusals_name_the_place(text: str, place: str, words: str) -> None:
    message = refusal(text)
    assert message.startswith(place)
    assert words in message
    assert "expected" in message


def test_bombs_are_refused_before_they_expand() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "aliases" in refusal("\n".join(levels))
    assert "nested too deeply" in refusal("[" * 5000 + "]" * 5000)
    assert "nested too deeply" in refusal("{a: " * 60 + "1" + "}" * 60)


def test_aliases_within_the_budget_are_values() -> None:
    assert plain("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


def test_depth_at_the_limit_is_read() -> None:
    depth = reader.DEPTH_LIMIT
    value = plain("[" * depth + "]" * depth)
    for _ in range(depth - 1):
        assert isinstance(value, list)
        value = value[0]
    assert value == []


class Inner(Frozen):
    size: int = Field(gt=0, description="how large")
    mode: Literal["fast", "slow"] = "fast"


class CatEntry(Frozen):
    kind: Literal["cat"]
    lives: int


class DogEntry(Frozen):
    kind: Literal["dog"]
    name: str = Field(min_length=2)


class Outer(Frozen):
    name: str
    ratio: float = 1.0
    threads: int | Literal["auto"] = "auto"
    inner: Inner
    batches: tuple[int, ...] = Field(default=(1,), min_length=1)
    by_name: dict[str, Inner] = Field(default={})
    pets: tuple[Annotated[CatEntry | DogEntry, Field(discriminator="kind")], ...] = ()


def mistakes(text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        validation.validate(parse(text), Outer)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "name: a\ninner: {sise: 3, size: 1}",
            "f.yaml:2:9: unknown key 'sise' in inner, expected one of size, mode; did",
        ),
        ("name: a\ninner:\n  size: 0", "f.yaml:3:9: 0 in inner.size, expected more than 0"),
        ("name: a\ninner: {size: '3'}", "f.yaml:2:15: '3' in inner.size, expected a whole number"),
        ("name: a\ninner: {size: 3.0}", "f.yaml:2:15: 3.0 in inner.size, expected a whole number"),
        ("name: a\ninner: {size: true}", "f.yaml:2:15: true in inner.size, expected a whole number"),
        ("name: 3\ninner: {size: 1}", "f.yaml:1:7: 3 in name, expected text (quote it)"),
        ("inner: {size: 1}", "f.yaml:1:1: missing key 'name', expected text"),
        ("name: a\ninner: {}", "f.yaml:2:8: missing key 'size' in inner, expected a whole number: how large"),
        ("name: a\ninner: {size: 1, mode: fsat}", "one of fast, slow; did you mean 'fast'?"),
        ("name: a\nthreads: many\ninner: {size: 1}", "'many' in threads, expected a whole number or auto"),
        ("name: a\nbatches: 3\ninner: {size: 1}", "f.yaml:2:10: 3 in batches, expected a list"),
        ("name: a\nbatches: []\ninner: {size: 1}", "an empty list in batches, expected at least 1 entries"),
        ("name: a\ninner: {size: 1}\nby_name: {x: {size: 1, siz: 2}}", "f.yaml:3:24: unknown key 'siz' in by_name.x"),
        (
            "name: a\ninner: {size: 1}\npets: [{kind: cta, lives: 9}]",
            "f.yaml:3:15: unknown kind 'cta' in pets[0], expected",
        ),
        (
            "name: a\ninner: {size: 1}\npets: [{kind: cat, live: 9}]",
            "unknown key 'live' in pets[0], expected one of kind",
        ),
        ("name: a\ninner: {size: 1}\npets: [{kind: cat}]", "f.yaml:3:8: missing key 'lives' in pets[0]"),
        ("name: a\ninner: {size: 1}\npets: [{lives: 9}]", "f.yaml:3:8: missing key 'kind' in pets[0]"),
        ("name: a\ninner: {size: 1}\npets: [3]", "f.yaml:3:8: 3 in pets[0], expected a mapping"),
        (
            "name: a\ninner: {size: 1}\npets: [{kind: dog, name: x}]",
            "'x' in pets[0].name, expected at least 2 characters",
        ),
        ("- a\n", "f.yaml:1:1: a list of 1, expected a config"),
    ],
)
def test_mistakes_name_place_value_and_way_out(text: str, line: str) -> None:
    assert any(line in found for found in mistakes(text)), mistakes(text)


def test_every_mistake_is_reported_in_order_and_bounded() -> None:
    found = mistakes("nam: 1\ninner: {size: 0}\nbatches: [a, b]\n")
    places = [int(line.split(":")[1]) for line in found]
    assert places == sorted(places)
    assert len(found) == 5
    many = mistakes("name: a\ninner: {size: 1}\nbatches: [" + ", ".join(["x"] * 50) + "]")
    assert len(many) == 11
    assert many[-1] == "f.yaml: and 40 more"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(-1e30, 1e30, allow_nan=False).filter(lambda x: x == 0 or abs(x) >= 1e-30)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=150)
@given(JSON, st.sampled_from([None, 2]), st.booleans())
def test_json_means_the_same_here(value: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps({"v": value}, indent=indent, ensure_ascii=ascii_only)
    if "\x7f" in text:
        return
    assert plain(text) == {"v": value}


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60) | st.text("[]{}:,-&*!|>'\"%@`#?ab01 \n\t.~", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = plain(text)
    except UsageError:
        return
    assert not isinstance(value, float) or math.isfinite(value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    def message(path: Path) -> str:
        with pytest.raises(UsageError) as caught:
            validation.load(path, what="claim sheet")
        return str(caught.value)

    (tmp_path / "quick.yaml").write_text("a: 1")
    assert "did you mean" in message(tmp_path / "quik.yaml")
    assert "is a folder" in message(tmp_path)
    assert "no such file" in message(tmp_path / "x" / "y.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    assert ":2:4: not UTF-8" in message(tmp_path / "latin.yaml")
    (tmp_path / "big.yaml").write_bytes(b"#" * (text.SIZE_LIMIT_BYTES + 1))
    assert "too large" in message(tmp_path / "big.yaml")
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    assert "cannot be read" in message(tmp_path / "loop.yaml")
    assert "cannot be read" in message(Path("a\0b"))
    assert "cannot be read" in message(Path("a" * 5000))


def test_json_files_may_be_indented_with_tabs(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{\n\t"a": [\n\t\t1,\n\t\t"\\ud83d\\ude00"\n\t]\n}\n')
    assert validation.load(path, what="config").plain() == {"a": [1, "\U0001f600"]}


def test_marks_are_of_the_nearest_value() -> None:
    found = parse("a:\n  - b: 1\n    c: 2\n")
    assert found.mark("a", 0, "c") == Mark(3, 8)
    assert found.mark("a", 0, "d") == Mark(2, 5)
    assert found.mark("a", 7) == Mark(2, 3)
