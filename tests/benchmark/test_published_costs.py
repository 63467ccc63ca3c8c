import pytest
import torch

from segnext.benchmark.costs import count_costs
from segnext.benchmark.published_costs import (
    PUBLISHED_COSTS,
    SEGFORMER_B2,
    AsPublished,
    PublishedCost,
    count_as_published,
)
from segnext.models import SegNeXt, create_model

# Table 9 gives this model 70.0 at 512x512, which its layers make 555 at 1024x2048, and says 577.5.
ODD = "segnext_large-1024x2048"


def name(row: PublishedCost) -> str:
    return f"{row.model}-{row.size[0]}x{row.size[1]}"


@pytest.mark.parametrize("row", PUBLISHED_COSTS, ids=name)
def test_the_table_of_the_paper(row: PublishedCost) -> None:
    with torch.device("meta"):
        model = create_model(row.model, num_classes=row.num_classes).eval()
    costs = count_costs(AsPublished(model), row.size)
    assert costs.macs / 1e9 == pytest.approx(row.gmacs, rel=0.05)
    # Counted by the rules of the program that the authors used, it is the figure they print.
    expected = 553.7 if name(row) == ODD else row.gmacs
    assert count_as_published(costs.operations) / 1e9 == pytest.approx(expected, abs=0.06)
    if row.num_classes == 150:
        assert costs.parameters / 1e6 == pytest.approx(row.parameters, abs=0.05)


def test_squeezing_first_is_cheaper_and_the_rest_costs_the_same() -> None:
    with torch.device("meta"):
        model = create_model("segnext_tiny", num_classes=150).eval()
    ours, published = (count_costs(m, (512, 512)) for m in (model, AsPublished(model)))
    # 64, 160 and 256 channels to 256: at 64x64 all, or at 64x64, 32x32 and 16x16 each.
    saved = 64 * 64 * 480 * 256 - 256 * (64 * 64 * 64 + 32 * 32 * 160 + 16 * 16 * 256)
    assert published.macs - ours.macs == saved


def test_the_order_of_the_paper_is_the_same_function(smallest_model: SegNeXt) -> None:
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        logits = smallest_model.eval()(images)
        published = AsPublished(smallest_model)(images)
    expected = torch.nn.functional.interpolate(
        logits, size=(64, 96), mode="bilinear", align_corners=False
    )
    torch.testing.assert_close(published, expected, atol=1e-5, rtol=1e-5)


def test_small_against_segformer_b2_on_cityscapes() -> None:
    b2 = next(row for row in SEGFORMER_B2 if row.num_classes == 19)
    with torch.device("meta"):
        model = create_model("segnext_small", num_classes=19).eval()
    costs = count_costs(model, b2.size)
    assert costs.macs / 1e9 / b2.gmacs == pytest.approx(1 / 6, rel=0.05)
    assert costs.parameters / 1e6 / b2.parameters == pytest.approx(1 / 2, rel=0.05)
