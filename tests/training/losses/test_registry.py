import pytest

from segnext.errors import UsageError
from segnext.training.losses import LOSSES, CrossEntropy, Focal, WeightedSum, build_loss


@pytest.mark.parametrize("name", LOSSES)
def test_names_build_their_loss(name: str) -> None:
    loss = build_loss(name, ignore_index=7)
    assert type(loss) is LOSSES[name]
    assert loss.ignore_index == 7


def test_mappings_build_weighted_sums() -> None:
    choice = {"cross_entropy": 1, "dice": {}, "focal": {"weight": 0.5, "gamma": 3.0}}
    loss = build_loss(choice, class_weights=(1.0, 2.0))
    assert isinstance(loss, WeightedSum)
    assert loss.weights == (1, 1.0, 0.5)
    first, _, last = loss.losses
    assert isinstance(first, CrossEntropy)
    assert first.mean == "valid"
    assert isinstance(last, Focal)
    assert last.gamma == 3.0
    assert all(part.class_weights.tolist() == [1, 2] for part in (first, last))
    assert choice["focal"] == {"weight": 0.5, "gamma": 3.0}


def test_options_reach_their_loss() -> None:
    loss = build_loss({"cross_entropy": {"mean": "all"}})
    assert isinstance(loss, WeightedSum)
    assert loss.losses[0].mean == "all"


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("lovas", r"unknown loss 'lovas': did you mean lovasz\? valid: boundary, cross_entropy, "),
        ({"dise": 1.0}, r"unknown loss 'dise': did you mean dice\?"),
        ({3: 1.0}, r"unknown loss '3': valid: "),
        (
            {"focal": {"gama": 2}},
            r"unknown option of loss focal 'gama': did you mean gamma\? valid: gamma, weight$",
        ),
        ({"dice": {"gamma": 2}}, r"unknown option of loss dice 'gamma': valid: weight$"),
        ({"ohem": {"ignore_index": 0}}, r"unknown option of loss ohem 'ignore_index'"),
        ({"focal": {"gamma": "high"}}, r"focal gamma must be at least 0, got 'high'$"),
        ({"ohem": {"fraction": 25}}, r"ohem fraction must be above 0 and at most 1, got 25$"),
        ({"dice": 0}, r"weight of loss dice must be above 0, got 0$"),
        ({"dice": {"weight": float("inf")}}, r"weight of loss dice must be above 0, got inf$"),
        ({"dice": True}, r"weight of loss dice must be above 0, got True$"),
        ({"dice": None}, r"weight of loss dice must be above 0, got None$"),
        ({}, r"loss must be a name or names with weights, got \{\}: valid: cross_entropy, ohem"),
        (["dice"], r"loss must be a name or names with weights, got \['dice'\]"),
    ],
)
def test_wrong_choices_are_named(choice: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_loss(choice)  # type: ignore[arg-type]


def test_class_weights_without_effect_are_refused() -> None:
    expected = r"class weights have no effect on dice, lovasz: add cross_entropy, ohem, focal$"
    with pytest.raises(UsageError, match=expected):
        build_loss({"dice": 1, "lovasz": 1}, class_weights=(1.0, 2.0))
