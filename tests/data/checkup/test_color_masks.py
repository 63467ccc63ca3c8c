from collections import Counter

from segnext.classes import Classes
from segnext.data.checkup.color_masks import (
    diagnose_colors_without_names,
    find_stray_colors,
)
from segnext.data.checkup.readings import ValueCounts
from segnext.data.taxonomy import Taxonomy


def counts(colors: dict[tuple[int, int, int], int]) -> ValueCounts:
    packed = {red << 16 | green << 8 | blue: n for (red, green, blue), n in colors.items()}
    return ValueCounts(Counter(packed), Counter(packed.keys()))


def test_the_border_of_pascal_voc_is_void() -> None:
    declared = Taxonomy(Classes(("background", "aeroplane")))
    found = counts({(0, 0, 0): 50, (128, 0, 0): 40, (224, 224, 192): 10})
    (finding,), (label_map,) = diagnose_colors_without_names(found, declared, 3)
    assert finding.count == 3
    assert finding.examples[0] == "0,0,0 (#000000): 50.0 % of the pixels, in 1 mask"
    assert label_map.taxonomy is not None
    assert label_map.taxonomy.classes.names == ("background", "aeroplane")
    assert label_map.taxonomy.void_colors == ((224, 224, 192),)


def test_too_many_colours_get_no_label_map() -> None:
    declared = Taxonomy(Classes(("a", "b")))
    found = counts({(index, 255 - index, 7): 1 for index in range(256)} | {(0, 0, 1): 1})
    assert diagnose_colors_without_names(found, declared, 1)[1] == []


def test_few_colours_are_never_stray() -> None:
    assert find_stray_colors(counts({(0, 0, 0): 1_000_000, (1, 1, 1): 1})) == []
