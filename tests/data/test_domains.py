import dataclasses

import pytest

from segnext.data.domains import DOMAINS, Domain, find_sided_classes
from segnext.data.transforms import Augmentation


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_every_domain_is_a_valid_augmentation(domain: Domain) -> None:
    options = dataclasses.asdict(domain)
    for entry in ("name", "description", "because"):
        assert options.pop(entry)
    if options["scale_range"] is None:
        del options["scale_range"]
    Augmentation((64, 64), **options)


def test_names_are_keys() -> None:
    assert list(DOMAINS) == ["street", "object", "overhead", "microscopy", "document"]
    assert all(name == domain.name for name, domain in DOMAINS.items())


@pytest.mark.parametrize(
    ("name", "mirror", "turns"),
    [
        ("street", (0.5, 0.0), False),
        ("object", (0.5, 0.0), False),
        ("overhead", (0.5, 0.5), True),
        ("microscopy", (0.5, 0.5), True),
        ("document", (0.0, 0.0), False),
    ],
)
def test_only_what_has_no_up_is_turned(name: str, mirror: tuple[float, float], turns: bool) -> None:
    domain = DOMAINS[name]
    assert (domain.flip, domain.flip_vertical) == mirror
    assert domain.rotate90 is turns


@pytest.mark.parametrize(
    "pair",
    [
        ("left", "right"),
        ("Left-arm", "Right-arm"),
        ("arm_l", "arm_r"),
        ("L_eye", "R_eye"),
        ("armL", "armR"),
        ("LArm", "RArm"),
        ("leftLeg", "rightLeg"),
        ("turn left", "turn right"),
        ("lane:left2", "lane:right2"),
        ("port light", "starboard light"),
        ("front left wheel (left)", "front right wheel (right)"),
        ("LEFT kidney", "right Kidney"),
    ],
)
def test_sides_are_found(pair: tuple[str, str]) -> None:
    assert find_sided_classes(["background", *pair, "other"]) == [pair]
    assert find_sided_classes(reversed(pair)) == [pair[::-1]]


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["left arm"],
        ["bright", "blight"],
        ["bright", "light", "fright", "flight"],
        ["cleft", "cright"],
        ["left arm", "right leg"],
        ["left arm 1", "right arm 2"],
        ["port", "harbour", "airport"],
        ["port", "left"],
        ["left", "r"],
        ["copyright", "copyleft"],
        ["leftover", "rightover"],
        ["arml", "armr"],
        ["lane", "rane"],
        ["left-arm", "left_arm"],
        ["car", "cal"],
    ],
)
def test_other_names_are_left_alone(names: list[str]) -> None:
    assert find_sided_classes(names) == []


def test_every_pair_is_named() -> None:
    names = ["skin", "l_brow", "r_brow", "hat", "r_eye", "l_eye"]
    assert find_sided_classes(names) == [("l_brow", "r_brow"), ("r_eye", "l_eye")]
