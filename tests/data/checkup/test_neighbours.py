import cv2
import numpy as np

from segnext.data.checkup.neighbours import confirm_borders, find_borders
from segnext.data.duplicates import Sketch, sketch_picture


def drifting_scene(position: int) -> np.ndarray:
    """Return a view of a long landscape, from further right at each position."""
    coarse = np.random.default_rng(0).integers(0, 256, (3, 20, 3), dtype=np.uint8)
    landscape = cv2.resize(coarse, (960, 48), interpolation=cv2.INTER_CUBIC)
    return np.asarray(landscape[:, position * 16 : position * 16 + 96])


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)


NAMES = {
    "train": [f"seq/frame_{number:04}" for number in range(0, 400, 10) if number % 40],
    "val": [f"seq/frame_{number:04}" for number in range(0, 400, 40)],
}


def sketch_all(draw: object) -> dict[tuple[str, str], Sketch]:
    return {
        (split, name): sketch_picture(draw(int(name[-4:]) // 10))  # type: ignore[operator]
        for split, names in NAMES.items()
        for name in names
    }


def test_consecutive_numbers_in_two_splits_are_borders() -> None:
    borders = find_borders(NAMES)
    assert len(borders) == 19
    assert borders[0].one.name == "seq/frame_0000"
    assert borders[0].other.name == "seq/frame_0010"
    assert {borders[0].one.split, borders[0].other.split} == {"train", "val"}


def test_a_gap_between_takes_is_no_border() -> None:
    apart = {
        "train": [f"frame_{number}" for number in range(100)],
        "val": [f"frame_{number}" for number in range(500, 520)],
    }
    assert find_borders(apart) == []
    beside = {**apart, "val": [f"frame_{number}" for number in range(100, 120)]}
    assert [(b.one.number, b.other.number) for b in find_borders(beside)] == [(99, 100)]


def test_names_without_numbers_or_of_other_sequences_are_no_borders() -> None:
    assert find_borders({"train": ["a1", "b2", "c3", "d4"], "val": ["e5", "f6"]}) == []
    assert find_borders({"train": ["a", "b", "c"], "val": ["d"]}) == []
    assert find_borders({"train": [f"{n}" for n in range(9)], "val": []}) == []


def test_frames_of_a_video_are_confirmed_and_unrelated_pictures_are_not() -> None:
    borders = find_borders(NAMES)
    confirmed = confirm_borders(borders, sketch_all(drifting_scene))
    assert len(confirmed) > 15
    assert confirm_borders(borders, sketch_all(noise)) == []


def test_a_camera_that_stands_still_is_no_video() -> None:
    # Every picture resembles every other one; the search for similar pictures says so.
    borders = find_borders(NAMES)
    assert confirm_borders(borders, sketch_all(lambda number: drifting_scene(0))) == []


def test_frames_of_a_video_that_looks_alike_throughout_are_confirmed() -> None:
    # Dusk in one street: the frames share most of what they show, the nearest a little more.
    borders = find_borders(NAMES)

    def draw(number: int) -> np.ndarray:
        return cv2.addWeighted(drifting_scene(0), 0.78, drifting_scene(number), 0.22, 0)

    assert len(confirm_borders(borders, sketch_all(draw))) > 15

    def shuffled(number: int) -> np.ndarray:
        return draw(number * 17 % 40)

    assert confirm_borders(borders, sketch_all(shuffled)) == []


def test_borders_without_sketches_are_left_out() -> None:
    assert confirm_borders(find_borders(NAMES), {}) == []
