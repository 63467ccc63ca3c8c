import json

import jsonschema_rs
import pytest

from reports import duel, report
from segnext.report.figures import Duel, Report, schema_of, to_json


def test_reports_fit_their_schema() -> None:
    schema = json.loads(schema_of(Report))
    found = json.loads(to_json(report()))
    jsonschema_rs.validate(schema, found)
    assert found == json.loads(json.dumps(report().to_dict()))
    assert "Mean IoU over present labels" in schema["description"]
    jsonschema_rs.validate(schema, json.loads(to_json(report(confident=False))))
    del found["miou"]
    with pytest.raises(jsonschema_rs.ValidationError, match="miou"):
        jsonschema_rs.validate(schema, found)


def test_comparisons_fit_theirs() -> None:
    schema = json.loads(schema_of(Duel))
    jsonschema_rs.validate(schema, json.loads(to_json(duel())))
