"""Matrix decompositions: features X (D x N) become the product of bases and coefficients.

Paper: "Is Attention Better Than Matrix Decomposition?", arXiv 2109.04553, sections 2 and 3. All
three share these promises:

- The gradient flows through every update.
- Training draws the first bases anew at each step; evaluation starts from a stored buffer, the
  same for every image, so predictions repeat to the bit and do not depend on the batch.
- The arithmetic stays in float32, under autocast and in half models.
- Only operations that every exporter knows: no `.mT`, nothing of `torch.linalg`.

Shapes: B batch, D rows, N positions, R rank; bases are (B, D, R), coefficients (B, R, N).
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from segnext.errors import UsageError, describe_unknown
from segnext.models.layers import without_autocast
from segnext.models.randomness import draw_uniform

EPSILON = 1e-6
BASES_SEED = 20220918
# Of the soft assignments, our choice: almost hard, as the k-means that they soften.
TEMPERATURE = 0.01
RIDGE = 0.1
# Of the squared length of a column: shorter ones than 1e-6 are not blown up to unit length.
LEAST_SQUARE = 1e-12
# The paper uses 6 and 7; nothing changes any more long before this.
_MOST_STEPS = 1000
INVERSE_TOLERANCE = 1e-7  # float32 resolves no better


class Decomposition(nn.Module):
    """What the three have in common: the first bases, the number of updates and float32.

    Args:
        width: D, rows of the decomposed matrix.
        rank: R, columns of the bases.
        train_steps: Updates of both factors in training.
        eval_steps: Updates of both factors in evaluation.

    Attributes:
        non_negative: The features have to be.
    """

    non_negative = False
    initial_bases: Tensor

    def __init__(self, width: int, rank: int, *, train_steps: int = 6, eval_steps: int = 7) -> None:
        super().__init__()
        if rank < 1 or not all(0 <= steps <= _MOST_STEPS for steps in (train_steps, eval_steps)):
            msg = (
                f"the decomposition needs rank >= 1 and 0 to {_MOST_STEPS} steps, got rank {rank}, "
                f"{train_steps} training steps, {eval_steps} evaluation steps"
            )
            raise UsageError(msg)
        self.train_steps = train_steps
        self.eval_steps = eval_steps
        generator = torch.Generator().manual_seed(BASES_SEED)
        drawn = torch.rand(1, width, rank, generator=generator, device="cpu")
        self.register_buffer("initial_bases", self.make_bases(drawn))

    def forward(self, features: Tensor) -> Tensor:
        """Return the low-rank reconstruction of features (B, D, N), in float32."""
        # Autocast would run the products in half precision even on float32 inputs.
        with without_autocast(features.device):
            features = features.float()
            bases, coefficients = self.factorize(features, self._first_bases(features))
            return bases @ coefficients

    @property
    def steps(self) -> int:
        """Updates in the current mode."""
        return self.train_steps if self.training else self.eval_steps

    def factorize(self, features: Tensor, bases: Tensor) -> tuple[Tensor, Tensor]:
        """Factorise (B, D, N) from the given first bases (B, D, R), all float32.

        Returns:
            Bases (B, D, R) and coefficients (B, R, N).
        """
        raise NotImplementedError

    @staticmethod
    def make_bases(drawn: Tensor) -> Tensor:
        """Make first bases of unit length of uniform numbers (B, D, R) in [0, 1)."""
        # Signed features lie in every direction, so bases have to: around zero.
        return functional.normalize(2 * drawn - 1, dim=1)

    def _first_bases(self, features: Tensor) -> Tensor:
        batch = features.shape[0]
        if not self.training:
            return self.initial_bases.float().expand(batch, -1, -1)
        shape = tuple(self.initial_bases.shape[1:])
        return self.make_bases(draw_uniform(batch, shape, features.device))


class NMF(Decomposition):
    """Non-negative matrix factorisation by multiplicative updates (Lee and Seung).

    Arguments as for `Decomposition`; features have to be non-negative, and so are both factors.
    """

    non_negative = True

    @staticmethod
    def make_bases(drawn: Tensor) -> Tensor:
        """Make first bases of unit length, all non-negative."""
        return functional.normalize(drawn, dim=1)

    def factorize(self, features: Tensor, bases: Tensor) -> tuple[Tensor, Tensor]:
        """Factorise; see `Decomposition.factorize`."""
        coefficients = functional.softmax(bases.transpose(1, 2) @ features, dim=1)
        for _ in range(self.steps):
            coefficients = _update_coefficients(features, bases, coefficients)
            bases = _update_bases(features, bases, coefficients)
        return bases, _update_coefficients(features, bases, coefficients)


class VQ(Decomposition):
    """Vector quantisation by soft k-means: C = softmax(cos(Bs, X) / T), Bs = means weighted by C.

    Arguments as for `Decomposition`. Coefficients are shares: of each position they add up to 1.
    """

    def factorize(self, features: Tensor, bases: Tensor) -> tuple[Tensor, Tensor]:
        """Factorise; see `Decomposition.factorize`."""
        directions = unit_columns(features)
        coefficients = _assign(directions, bases)
        for _ in range(self.steps):
            weights = coefficients.sum(dim=2, keepdim=True).transpose(1, 2)
            bases = features @ coefficients.transpose(1, 2) / (weights + EPSILON)
            coefficients = _assign(directions, bases)
        return bases, coefficients


class CD(Decomposition):
    """Concept decomposition (Dhillon and Modha, "Concept Decompositions", 2001).

    Spherical k-means with soft assignments finds concepts of unit length; coefficients are those
    of a ridge regression on them, C = (Bs^T Bs + beta I)^-1 Bs^T X.

    Arguments as for `Decomposition`.
    """

    def __init__(self, width: int, rank: int, *, train_steps: int = 6, eval_steps: int = 7) -> None:
        super().__init__(width, rank, train_steps=train_steps, eval_steps=eval_steps)
        self.inverse_steps = count_inverse_steps(RIDGE, rank + RIDGE)

    def factorize(self, features: Tensor, bases: Tensor) -> tuple[Tensor, Tensor]:
        """Factorise; see `Decomposition.factorize`."""
        directions = unit_columns(features)
        for _ in range(self.steps):
            coefficients = _assign(directions, bases)
            bases = unit_columns(features @ coefficients.transpose(1, 2))
        transposed = bases.transpose(1, 2)
        identity = torch.eye(bases.shape[2], device=bases.device)
        # Columns have at most unit length, so the product's eigenvalues lie between 0 and R.
        coefficients = solve(
            transposed @ bases + RIDGE * identity,
            transposed @ features,
            bounds=(RIDGE, bases.shape[2] + RIDGE),
            steps=self.inverse_steps,
        )
        return bases, coefficients


DECOMPOSITIONS: Mapping[str, type[Decomposition]] = {"nmf": NMF, "vq": VQ, "cd": CD}


def build_decomposition(
    name: str, width: int, rank: int, *, train_steps: int, eval_steps: int
) -> Decomposition:
    """Build one of `DECOMPOSITIONS`; further arguments as for `Decomposition`.

    Raises:
        UsageError: Unknown name, or an option out of range.
    """
    if name not in DECOMPOSITIONS:
        raise UsageError(describe_unknown("decomposition", name, DECOMPOSITIONS))
    return DECOMPOSITIONS[name](width, rank, train_steps=train_steps, eval_steps=eval_steps)


def unit_columns(matrix: Tensor) -> Tensor:
    """Scale the columns of (B, D, N) to unit length, those near zero to less."""
    # Smooth at zero, unlike a division by the greater of length and bound.
    return matrix * torch.rsqrt((matrix * matrix).sum(dim=1, keepdim=True) + LEAST_SQUARE)


def count_inverse_steps(least: float, greatest: float) -> int:
    """Count the steps after which the inverse of `solve` is as good as float32.

    The first guess leaves a residual whose norm is at most e = (k - 1) / (k + 1), k the ratio of
    the bounds, and each step squares the residual: e ** (2 ** steps) <= 1e-7.

    Args:
        least: Lower bound of the eigenvalues, above 0.
        greatest: Upper bound of the eigenvalues.
    """
    first = (greatest - least) / (greatest + least)
    return max(0, math.ceil(math.log2(math.log(INVERSE_TOLERANCE) / math.log(first))))


def solve(matrix: Tensor, right: Tensor, *, bounds: tuple[float, float], steps: int) -> Tensor:
    """Solve A C = F for symmetric positive definite A by products alone (Newton and Schulz).

    The inverse of A is what Y <- Y (2 I - A Y) converges to from Y = 2 / (least + greatest) I,
    which has the least residual I - A Y of all multiples of the identity. No library routine is
    called, which exporters would not know.

    Args:
        matrix: A (B, R, R), with eigenvalues within the bounds.
        right: F (B, R, N).
        bounds: Of the eigenvalues, least and greatest.
        steps: From `count_inverse_steps`.

    Returns:
        C (B, R, N).
    """
    identity = torch.eye(matrix.shape[-1], device=matrix.device, dtype=matrix.dtype)
    inverse = (identity * (2 / sum(bounds))).expand(matrix.shape)
    for _ in range(steps):
        inverse = inverse @ (2 * identity - matrix @ inverse)
    solution = inverse @ right
    # Where bases are alike, an inverse in float32 is good to 1e-3 only; solving for what is left
    # over makes it 1e-5, which a direct solver reaches too.
    return solution + inverse @ (right - matrix @ solution)


def _assign(directions: Tensor, bases: Tensor) -> Tensor:
    """Share positions (B, D, N) of unit length among bases by their cosines: (B, R, N)."""
    cosines = unit_columns(bases).transpose(1, 2) @ directions
    return functional.softmax(cosines / TEMPERATURE, dim=1)


def _update_coefficients(features: Tensor, bases: Tensor, coefficients: Tensor) -> Tensor:
    # Not `.mT`, which OpenVINO cannot convert.
    transposed = bases.transpose(1, 2)
    numerator = transposed @ features
    denominator = (transposed @ bases) @ coefficients + EPSILON
    return coefficients * numerator / denominator


def _update_bases(features: Tensor, bases: Tensor, coefficients: Tensor) -> Tensor:
    transposed = coefficients.transpose(1, 2)
    numerator = features @ transposed
    denominator = bases @ (coefficients @ transposed) + EPSILON
    return bases * numerator / denominator
