import pytest

from segnext.parsing import MOST_LEVELS, MOST_YAML_CHARACTERS, parse_json, parse_yaml

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_json_as_json_has_it() -> None:
    assert parse_json('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    assert parse_json(b'"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("{", "Expecting"),
        ('{"a": "\\ud800"}', "surrogates not allowed"),
        ("1" * 5000, "limit"),
    ],
)
def test_json_that_is_none(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_yaml_as_yaml_has_it() -> None:
    text = "a: &one {b: 1, c: [x, 2.5]}\nd: *one\ne: {<<: *one, b: 2}\n"
    one = {"b": 1, "c": ["x", 2.5]}
    assert parse_yaml(text) == {"a": one, "d": one, "e": {**one, "b": 2}}
    assert parse_yaml("") is None
    assert parse_yaml("[" * (MOST_LEVELS - 1) + "]" * (MOST_LEVELS - 1)) is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("- " * 50_000, "nested too deeply"),
        (LAUGHS, "aliases stand for more than 100,000 values"),
        ("&a [*a]", "aliases stand for more than"),
        ("a: [", "expected"),
        ("!!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("2001-99-99", "month must be"),
        ("0b_", "ValueError"),
        ("!!int ''", "IndexError"),
        ("!!timestamp x", "AttributeError"),
        ("!!bool x", "KeyError"),
        ("0x" + "f" * 5000, "a number of 5,002 digits"),
        ("#" * (MOST_YAML_CHARACTERS + 1), "524,289 characters are more than 524,288"),
    ],
)
def test_yaml_that_is_none(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)
