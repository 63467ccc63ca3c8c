import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from segnext.inference import masks, scores
from segnext.inference.logits import PictureLogits, compute_picture_logits, open_views
from segnext.inference.masks import compute_confidence, compute_mask, stream_mask
from segnext.inference.views import Tile, View
from segnext.models import SegNeXt
from segnext.protocol import Protocol
from segnext.spec import IMAGENET_NORMALIZATION


def whole(logits: torch.Tensor, height: int, width: int) -> PictureLogits:
    view = View((Tile(logits, 0, 0, height, width),), height, width)
    return PictureLogits((view,), height, width)


def assert_same_labels(mask: np.ndarray, scores: torch.Tensor) -> None:
    """Labels may differ only where the two best scores lie within 1e-5."""
    differs = torch.from_numpy(mask.astype(np.int64)) != scores.argmax(0)
    best = scores.topk(2, dim=0).values
    assert not (differs & ((best[0] - best[1]) > 1e-5)).any()


@pytest.mark.parametrize("size", [(64, 96), (61, 35), (33, 200)])
@pytest.mark.parametrize("band_values", [500, 4_000_000])
def test_equals_interpolate_and_argmax(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], band_values: int
) -> None:
    monkeypatch.setattr(masks, "BAND_VALUES", band_values)
    monkeypatch.setattr(masks, "CELL_PIXELS", band_values)
    height, width = size
    logits = torch.randn(7, -(-height // 8), -(-width // 8))
    full = functional.interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0]
    picture = whole(logits, height, width)
    assert_same_labels(compute_mask(picture), full)
    np.testing.assert_allclose(
        compute_confidence(picture), full.softmax(0).amax(0).numpy(), atol=1e-5
    )


@settings(deadline=None, max_examples=60)
@given(
    grid=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    classes=st.integers(2, 5),
)
def test_equals_interpolate_for_any_size(
    grid: tuple[int, int], size: tuple[int, int], classes: int
) -> None:
    logits = torch.randn(classes, *grid)
    full = functional.interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0]
    assert_same_labels(compute_mask(whole(logits, *size)), full)


def test_full_resolution_logits_are_never_held(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    sample = scores._sample_view
    monkeypatch.setattr(
        scores, "_sample_view", lambda *args: sizes.append((r := sample(*args)).numel()) or r
    )
    compute_confidence(whole(torch.randn(150, 64, 64), 512, 512))
    assert len(sizes) > 3
    assert max(sizes) <= masks.BAND_VALUES
    assert sum(sizes) == 150 * 512 * 512


def test_one_class_is_a_sigmoid_at_one_half() -> None:
    logits = torch.tensor([[[-2.0, 3.0]]])
    picture = whole(logits, 1, 2)
    assert compute_mask(picture).tolist() == [[0, 1]]
    expected = torch.tensor([2.0, 3.0]).sigmoid().numpy()
    np.testing.assert_allclose(compute_confidence(picture)[0], expected, rtol=1e-5)


def test_resized_picture_is_sampled_in_one_step() -> None:
    logits = torch.randn(5, 8, 12)
    view = View((Tile(logits, 0, 0, 64, 96),), 64, 96)
    picture = PictureLogits((view,), 130, 201)
    full = functional.interpolate(
        logits[None], size=(130, 201), mode="bilinear", align_corners=False
    )[0]
    assert_same_labels(compute_mask(picture), full)


def test_windows_equal_summed_upsampled_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "BAND_VALUES", 3000)
    total, count = torch.zeros(4, 64, 100), torch.zeros(64, 100)
    tiles = []
    for top in (0, 24, 32):
        for left in (0, 24, 48, 68):
            logits = torch.randn(4, 4, 4)
            tiles.append(Tile(logits, top, left, 32, 32))
            up = functional.interpolate(logits[None], size=(32, 32), mode="bilinear")[0]
            total[:, top : top + 32, left : left + 32] += up
            count[top : top + 32, left : left + 32] += 1
    picture = PictureLogits((View(tuple(tiles), 64, 100),), 64, 100)
    assert_same_labels(compute_mask(picture), total / count)


def test_views_average_probabilities_and_mirrors_are_turned_back() -> None:
    first, second = torch.randn(3, 4, 6), torch.randn(3, 4, 6)
    views = (
        View((Tile(first, 0, 0, 32, 48),), 32, 48),
        View((Tile(second, 0, 0, 64, 96),), 64, 96, mirrored=True),
    )
    picture = PictureLogits(views, 32, 48)

    def upsample(logits: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(logits[None], size=(32, 48), mode="bilinear")[0].softmax(0)

    expected = (upsample(first) + upsample(second.flip(-1))) / 2
    assert_same_labels(compute_mask(picture), expected)
    np.testing.assert_allclose(compute_confidence(picture), expected.amax(0).numpy(), atol=1e-5)


def test_more_than_255_classes_need_sixteen_bits() -> None:
    logits = torch.zeros(300, 2, 2)
    logits[290] = 1
    mask = compute_mask(whole(logits, 16, 16))
    assert mask.dtype == np.uint16
    assert (mask == 290).all()


def upsample(logits: torch.Tensor, *size: int) -> torch.Tensor:
    return functional.interpolate(logits[None], size=size, mode="bilinear")[0]


@pytest.mark.parametrize("band_values", [400, 4_000_000])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("size", [(130, 201), (23, 31), (64, 50)])
def test_two_steps_go_through_the_pixels_of_the_network_input(
    monkeypatch: pytest.MonkeyPatch, band_values: int, mirrored: bool, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(masks, "BAND_VALUES", band_values)
    logits = torch.randn(5, 8, 12)
    # 60x90 pixels, padded to 64x96.
    view = View((Tile(logits, 0, 0, 64, 96),), 60, 90, mirrored)
    picture = PictureLogits((view,), *size, steps=2)
    seen = upsample(logits, 64, 96)[:, :60, :90]
    full = upsample(seen.flip(-1) if mirrored else seen, *size)
    assert_same_labels(compute_mask(picture), full)
    np.testing.assert_allclose(
        compute_confidence(picture), full.softmax(0).amax(0).numpy(), atol=1e-5
    )


def test_two_steps_differ_from_one(monkeypatch: pytest.MonkeyPatch) -> None:
    view = View((Tile(torch.randn(5, 8, 12), 0, 0, 64, 96),), 64, 96)
    one, two = (compute_mask(PictureLogits((view,), 130, 201, steps=n)) for n in (1, 2))
    assert 0 < (one != two).mean() < 0.05
    one, two = (compute_mask(PictureLogits((view,), 64, 96, steps=n)) for n in (1, 2))
    assert (one == two).all()


@settings(deadline=None, max_examples=60)
@given(
    grid=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    seen=st.tuples(st.integers(1, 72), st.integers(1, 72)),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
)
def test_two_steps_equal_two_interpolations_for_any_size(
    grid: tuple[int, int], seen: tuple[int, int], size: tuple[int, int]
) -> None:
    logits = torch.randn(3, *grid)
    picture = PictureLogits((View((Tile(logits, 0, 0, *seen),), *seen),), *size, steps=2)
    assert_same_labels(compute_mask(picture), upsample(upsample(logits, *seen), *size))


def overlapping(tiles: list[Tile], *, probabilities: bool, enlarged: int = 1) -> torch.Tensor:
    """Average windows of 32 px over 64x100 px, or over as many times that, whole."""
    total, count = torch.zeros(4, 64, 100), torch.zeros(64, 100)
    total = total.repeat(1, enlarged, enlarged)
    count = count.repeat(enlarged, enlarged)
    for tile in tiles:
        up = upsample(tile.logits, 32 * enlarged, 32 * enlarged)
        rows, columns = (
            slice(start * enlarged, (start + 32) * enlarged) for start in (tile.top, tile.left)
        )
        total[:, rows, columns] += up.softmax(0) if probabilities else up
        count[rows, columns] += 1
    return total / count


@pytest.mark.parametrize(
    ("steps", "size"), [(1, (64, 100)), (1, (128, 200)), (2, (64, 100)), (2, (90, 37))]
)
def test_windows_average_logits_or_probabilities(
    monkeypatch: pytest.MonkeyPatch, steps: int, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(masks, "BAND_VALUES", 3000)
    corners = [(top, left) for top in (0, 24, 32) for left in (0, 24, 48, 68)]
    tiles = [Tile(3 * torch.randn(4, 4, 4), *corner, 32, 32) for corner in corners]
    found = {}
    for overlap in ("logits", "probabilities"):
        picture = PictureLogits((View(tuple(tiles), 64, 100),), *size, overlap, steps)
        enlarged = size[0] // 64 if steps == 1 else 1
        whole = overlapping(tiles, probabilities=overlap == "probabilities", enlarged=enlarged)
        full = upsample(whole, *size)
        found[overlap] = compute_mask(picture)
        assert_same_labels(found[overlap], full)
        best = (full if overlap == "probabilities" else full.softmax(0)).amax(0)
        np.testing.assert_allclose(compute_confidence(picture), best.numpy(), atol=1e-5)
    assert (found["logits"] != found["probabilities"]).any()


def test_probabilities_of_windows_are_not_softened_twice() -> None:
    corners = [(0, 0), (0, 16)]
    tiles = [Tile(torch.randn(3, 4, 4), *corner, 32, 32) for corner in corners]
    views = (View(tuple(tiles), 32, 48), View(tuple(tiles[::-1]), 32, 48))
    one = compute_confidence(PictureLogits(views[:1], 32, 48, "probabilities"))
    both = compute_confidence(PictureLogits(views, 32, 48, "probabilities"))
    np.testing.assert_allclose(both, one, atol=1e-6)


def test_one_class_in_overlapping_windows_is_a_sigmoid() -> None:
    tiles = (
        Tile(torch.full((1, 4, 4), 2.0), 0, 0, 32, 32),
        Tile(-torch.ones(1, 4, 4), 0, 8, 32, 32),
    )
    picture = PictureLogits((View(tiles, 32, 40),), 32, 40, "probabilities", 2)
    one, other = torch.tensor([2.0, -1.0]).sigmoid().tolist()
    confidence = compute_confidence(picture)[0]
    assert confidence[[0, 20, 39]].tolist() == pytest.approx([one, (one + other) / 2, 1 - other])
    assert compute_mask(picture)[0, [0, 20, 39]].tolist() == [1, 1, 0]


@pytest.mark.parametrize("seen", [(64, 64), (2048, 2048), (700, 900)])
def test_two_steps_never_hold_full_logits_either(
    monkeypatch: pytest.MonkeyPatch, seen: tuple[int, int]
) -> None:
    monkeypatch.setattr(masks, "BAND_VALUES", 400_000)
    sizes = []
    sample = scores._sample_places
    monkeypatch.setattr(
        scores, "_sample_places", lambda *args: sizes.append((r := sample(*args)).numel()) or r
    )
    view = View((Tile(torch.randn(20, 16, 16), 0, 0, *seen),), *seen)
    compute_mask(PictureLogits((view,), 256, 256, steps=2))
    assert len(sizes) > 3
    # A band may share a row with the next one, hence the two rows more.
    assert max(sizes) <= masks.BAND_VALUES + 2 * 20 * min(seen[1], 2 * 256)


class Scenery:
    """A picture of any height whose rows are made when they are asked for."""

    def __init__(self, height: int, width: int) -> None:
        self.shape = (height, width, 3)
        self.most = 0

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, last, _ = rows.indices(self.shape[0])
        self.most = max(self.most, last - first)
        y = np.arange(first, last)[:, None, None]
        x = np.arange(self.shape[1])[None, :, None]
        return ((y // 17 * 31 + x // 11 * 17 + np.arange(3) * 40) % 256).astype(np.uint8)


PROTOCOLS = [
    Protocol(window=64, stride=40),
    Protocol(window=64, overlap="probabilities"),
    Protocol(window=64, overlap="blend"),
    Protocol(window=96, stride=64, overlap="blend", scales=(0.75, 1.3), flip=True),
    Protocol(window=64, scales=(1.0, 1.5), resample="pixels", steps=2),
    Protocol(window=64, short_side=90, resize_to_multiple=32),
    Protocol(pad_to_multiple=32, flip=True),
]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.describe())
@pytest.mark.parametrize("confidence", [False, True])
def test_a_streamed_mask_is_the_mask(
    smallest_model: SegNeXt, monkeypatch: pytest.MonkeyPatch, protocol: Protocol, confidence: bool
) -> None:
    monkeypatch.setattr(masks, "BAND_VALUES", 20_000)
    monkeypatch.setattr(masks, "CELL_PIXELS", 3_000)
    model = smallest_model.eval()
    torch.nn.init.normal_(model.decoder.classifier.weight, std=1.0)
    picture = Scenery(230, 150)
    bands = list(
        stream_mask(model, picture, IMAGENET_NORMALIZATION, protocol, confidence=confidence)
    )
    assert [band.rows.start for band in bands[1:]] == [band.rows.stop for band in bands[:-1]]
    mask, probability = masks.join_bands(bands, 230, 150)
    looked = compute_picture_logits(model, picture[:], IMAGENET_NORMALIZATION, protocol)
    # Interpolating an input band by band rounds otherwise than all at once.
    assert (mask == compute_mask(looked)).mean() > 0.9999
    if confidence:
        np.testing.assert_allclose(probability, compute_confidence(looked), atol=1e-4)
    else:
        assert probability is None


@pytest.mark.parametrize("overlap", ["logits", "blend"])
def test_memory_does_not_depend_on_the_height(smallest_model: SegNeXt, overlap: str) -> None:
    protocol = Protocol(window=64, stride=64, overlap=overlap)
    peaks = []
    for height in (300, 3000):
        picture = Scenery(height, 128)
        views = open_views(smallest_model.eval(), picture, IMAGENET_NORMALIZATION, protocol)
        held = 0
        for band in masks._label_moving(views, height, 128, protocol, confidence=False):
            held = max(held, len(views[0].seen().tiles))
            assert band.labels.shape[1] == 128
        peaks.append((held, picture.most))
    assert peaks[0] == peaks[1]
    assert peaks[1][1] <= 64
