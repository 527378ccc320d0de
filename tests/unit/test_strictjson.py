"""JSON read strictly: what no figure can mean is refused in words, never believed."""

import pytest

from harness.files.strict import StrictJsonError, decode_json, encode_json


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": NaN}', "holds NaN"),
        ('{"a": -Infinity}', "holds -Infinity"),
        ('{"a": 1e999}', "holds 1e999"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "key 'b' stands twice"),
        ('{"\\u001b[31m": 1, "\\u001b[31m": 1}', "key '\N{REPLACEMENT CHARACTER}[31m' stands twice"),
        ("[" * 100_000, "nested too deeply to be a report"),
        ('{"a":' * 100_000, "nested too deeply to be a report"),
        ("[" + "7" * 10**6 + "]", "a whole number of thousands of digits"),
        ("", "not JSON"),
        ('{"a": 1} x', "not JSON"),
    ],
)
def test_what_cannot_be_relied_upon_is_refused(text: str, words: str) -> None:
    with pytest.raises(StrictJsonError) as caught:
        decode_json(text, what="report")
    assert words in str(caught.value) and len(str(caught.value)) < 200


def test_the_place_of_a_mistake_is_told() -> None:
    with pytest.raises(StrictJsonError) as caught:
        decode_json('{"a": 1,\n "b" 2}', what="report")
    assert caught.value.place("x.json") == "x.json:2:6"


def test_values_come_back_as_they_were_written() -> None:
    assert decode_json('{"a": [1, 2.5, null, true, "x"], "b": {}}', what="report") == {
        "a": [1, 2.5, None, True, "x"],
        "b": {},
    }


def test_what_could_drive_a_terminal_is_written_as_an_escape_and_comes_back() -> None:
    value = {"\u202ename": ["\x1b[31m", "\x9b31m", "caf\u00e9 \u2013", "\u2028", 0.1]}
    text = encode_json(value)
    assert all(c.isprintable() or c == "\n" for c in text) and "caf\u00e9 \u2013" in text
    assert decode_json(text, what="report") == value
