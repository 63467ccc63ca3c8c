from segnext.serve.refusals import RefusalError


def test_a_message_is_one_line() -> None:
    refusal = RefusalError(400, "two\nlines", {"Retry-After": "1"})
    assert (refusal.status, refusal.message) == (400, "two lines")
    assert refusal.headers == {"Retry-After": "1"}
