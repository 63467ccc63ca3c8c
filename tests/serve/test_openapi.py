"""The OpenAPI document holds for whatever schemathesis makes up from it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from segnext.serve.openapi import add_token, refused

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks", reason="needs schemathesis")


def test_refusals_describe_their_error() -> None:
    described = refused(413, 429)
    assert set(described) == {413, 429}
    assert "Retry-After" in described[429]["headers"]
    assert described[413]["content"]["application/json"]["schema"]["required"] == ["error"]


def test_a_token_is_asked_for_where_it_is_checked() -> None:
    document: dict[str, Any] = {"paths": {"/a": {"get": {}}, "/b": {"post": {}}}}
    add_token(document, frozenset({"/a"}))
    assert document["paths"] == {"/a": {"get": {}}, "/b": {"post": {"security": [{"token": []}]}}}


def test_answers_are_those_of_the_document(live_url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{live_url}/openapi.json")
    seen = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        seen.add(operation.path)

        @given(case=operation.as_strategy())
        @settings(
            max_examples=15,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def check(case: Any) -> None:
            # Bytes that the schema allows are rarely a picture.
            case.call_and_validate(excluded_checks=[checks.positive_data_acceptance])

        check()
    assert {"/v1/predict", "/v1/model", "/metrics"} <= seen
