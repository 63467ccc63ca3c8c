from pathlib import Path

import pytest
import torch

from runs import TINY
from segnext.data import Folder, open_folder
from segnext.training.config import Recipe, TrainConfig
from segnext.training.learner import build_learner
from segnext.training.measure import COPIES, StepMeter, free_memory
from segnext.training.planning import make_plan
from segnext.training.processes import Processes


@pytest.fixture(scope="module")
def data(scenes: Path) -> Folder:
    return open_folder(scenes)


@pytest.fixture(scope="module")
def recipe(scenes: Path, data: Folder) -> Recipe:
    config = TrainConfig(data=scenes, **{**TINY, "batch_size": 4, "max_steps": 3})
    return make_plan(config, data, Processes.alone()).recipe


def test_memory_grows_with_the_crop(recipe: Recipe, data: Folder) -> None:
    meter = StepMeter(data, Processes.alone())
    small = meter.memory(recipe)
    large = meter.memory(recipe.model_copy(update={"crop_size": (128, 128)}))
    # Four times the pixels; weights that are saved beside them do not grow.
    assert 3.5 < large.picture / small.picture < 4.5
    assert large.fixed == small.fixed
    learner = build_learner(recipe, data, Processes.alone())
    floats = sum(value.nbytes for value in learner.model.state_dict().values())
    assert small.fixed == COPIES * floats


def test_speed_is_of_a_step_and_of_a_picture(recipe: Recipe, data: Folder) -> None:
    timing = StepMeter(data, Processes.alone()).speed(recipe)
    assert timing.step_s > timing.picture_s > 0


def test_the_machine_has_memory() -> None:
    assert free_memory(torch.device("cpu")) > 10**8
