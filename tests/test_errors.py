from segnext.errors import SegnextError, UsageError, describe_unknown, list_some


def test_wrong_names_are_answered_with_the_nearest() -> None:
    answer = describe_unknown("model", "segnext_tinny", ["segnext_tiny", "segnext_base"])
    assert answer.startswith("unknown model 'segnext_tinny': did you mean segnext_tiny")
    assert answer.endswith("valid: segnext_base, segnext_tiny")
    assert "did you mean" not in describe_unknown("model", "zzz", ["a", "b"])


def test_long_lists_are_cut_and_counted() -> None:
    assert list_some(range(3)) == "0, 1, 2"
    assert list_some(range(9), limit=2) == "0, 1 and 7 more"


def test_exit_codes() -> None:
    assert SegnextError.exit_code == 1
    assert UsageError.exit_code == 2


def test_a_message_is_one_readable_line() -> None:
    assert str(SegnextError("a.png:\n\x1b[2J bad\u2028name \ud800")) == "a.png: [2J bad name  "
    long = str(UsageError("a" * 5000 + "z"))
    assert len(long) < 4010
    assert (long[0], long[-1]) == ("a", "z")
