"""Losses that stay exact in any number of processes and micro-batches, and class weights."""

from segnext.training.losses.boundary import Boundary
from segnext.training.losses.class_weights import CLASS_WEIGHTS, compute_class_weights
from segnext.training.losses.cross_entropy import CrossEntropy
from segnext.training.losses.dice import Dice
from segnext.training.losses.focal import Focal
from segnext.training.losses.loss import Loss
from segnext.training.losses.lovasz import Lovasz
from segnext.training.losses.ohem import Ohem
from segnext.training.losses.registry import LOSSES, LossChoice, build_loss
from segnext.training.losses.weighted_sum import WeightedSum

__all__ = [
    "CLASS_WEIGHTS",
    "LOSSES",
    "Boundary",
    "CrossEntropy",
    "Dice",
    "Focal",
    "Loss",
    "LossChoice",
    "Lovasz",
    "Ohem",
    "WeightedSum",
    "build_loss",
    "compute_class_weights",
]
