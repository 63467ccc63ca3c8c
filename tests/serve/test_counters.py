import re

from starlette.testclient import TestClient

from segnext.serve.counters import Counters, Histogram

LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? (\d|\+|\.|e|-)+')


def test_a_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.add(value)
    assert histogram.write("x") == [
        'x_bucket{le="1"} 2',
        'x_bucket{le="2"} 3',
        'x_bucket{le="+Inf"} 4',
        "x_sum 12.000000",
        "x_count 4",
    ]


def test_every_line_is_prometheus_text() -> None:
    counters = Counters({"name": 'a "b"\\c\n'})
    counters.count_request("/v1/predict", 200, 0.3)
    counters.count_batch(4, 1000, 0.2)
    text = counters.write({"segnext_places": ("Places.", lambda: 3)})
    for line in text.splitlines():
        assert (
            line.startswith(("# HELP ", "# TYPE ")) or "model_info" in line or LINE.fullmatch(line)
        )
    assert 'segnext_model_info{name="a \\"b\\"\\\\c "} 1' in text
    assert 'segnext_requests_total{route="/v1/predict",status="200"} 1' in text
    assert "segnext_picture_seconds_count 4" in text
    assert "segnext_pixels_total 1000" in text
    assert "segnext_places 3" in text
    assert counters.mean_picture_seconds() == 0.05


def test_the_server_counts(client: TestClient, photo: bytes) -> None:
    client.post("/v1/predict", files={"image": ("a.png", photo)})
    client.post("/v1/predict", files={"image": ("a.png", b"GIF8")})
    client.get("/no/such/path?x=1")
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'segnext_requests_total{route="/v1/predict",status="200"} 1' in answer.text
    assert 'segnext_requests_total{route="/v1/predict",status="415"} 1' in answer.text
    assert 'segnext_requests_total{route="other",status="404"} 1' in answer.text
    assert 'fingerprint="abababababab"' in answer.text
    assert re.search(r"process_resident_memory_bytes \d{7,}", answer.text)
