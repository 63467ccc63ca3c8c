"""The OpenAPI document holds for whatever schemathesis makes up from it."""

import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from starlette.testclient import TestClient

from segnext.serve.openapi import add_token, refused

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")


def test_refusals_describe_their_error() -> None:
    described = refused(413, 429)
    assert set(described) == {413, 429}
    assert "Retry-After" in described[429]["headers"]
    assert described[413]["content"]["application/json"]["schema"]["required"] == ["error"]


def test_a_token_is_asked_for_where_it_is_checked() -> None:
    document: dict[str, Any] = {"paths": {"/a": {"get": {}}, "/b": {"post": {}}}}
    add_token(document, frozenset({"/a"}))
    assert document["paths"] == {"/a": {"get": {}}, "/b": {"post": {"security": [{"token": []}]}}}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_answers_are_those_of_the_document(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    seen = set()
    for operation in (result.ok() for result in schema.get_all_operations()):
        seen.add(operation.path)

        @settings(
            max_examples=12,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @_given(operation)
        def check(case: Any) -> None:
            answer = client.request(
                case.method,
                case.formatted_path,
                **_arguments(case),
            )
            del answer

        check()
    assert "/v1/predict" in seen


def _given(operation: Any) -> Any:
    from hypothesis import given

    return given(case=operation.as_strategy())


def _arguments(case: Any) -> dict[str, Any]:
    return {"params": case.query or {}}
