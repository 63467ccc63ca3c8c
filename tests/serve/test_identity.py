from segnext.predict import Predictor
from segnext.serve.identity import Identity
from segnext.serve.settings import Settings


def test_a_signature_fits_a_header() -> None:
    assert Identity("straße\n.safetensors", "0123456789abcdef").signature == (
        "stra?e?.safetensors@0123456789ab"
    )


def test_a_description(predictor: Predictor) -> None:
    described = Identity("a", "b" * 64).describe(predictor, Settings(allow_urls=True))
    assert described["limits"]["urls"] is True
    assert described["outputs"] == [
        "mask",
        "overlay",
        "polygons",
        "geojson",
        "confidence",
        "report",
    ]
    assert described["backend"] == "folded"
    assert described["license"] == predictor.spec.license
