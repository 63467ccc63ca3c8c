"""Models that start from other weights: what fits is kept, the rest starts anew and is said."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from segnext.classes import Classes
from segnext.errors import UsageError, WeightsError, list_some
from segnext.models import MODELS, Classifier, SegmentationModel, create_model
from segnext.protocol import GREATEST_STRIDE, Protocol
from segnext.weights.description import describe_model
from segnext.weights.files import check_finite
from segnext.weights.foreign import CLASSIFIER, STEM, ConvertedStateDict, is_required

ENCODER_FIT = 0.95  # least share of the encoder's tensors that a file must bring

_BASES = "decoder.hamburger.nmf.initial_bases"


def build_from_state_dict(
    converted: ConvertedStateDict,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    classes: Classes | None = None,
) -> tuple[SegmentationModel, tuple[str, ...]]:
    """Build the model that a converted state dict belongs to, and fill it.

    Args:
        converted: From `convert_state_dict`.
        num_classes: K, at least 1; the file's if not given.
        in_channels: Image channels; the file's if not given.
        classes: Names of the classes; gives `num_classes`. The file's if not given, numbered
            where it has none, or not as many as are asked for.

    Returns:
        The model in evaluation mode with `spec` set, and what was adapted or starts anew. An
        encoder file without a class count gives a spec with `encoder_only`: its decoder is a
        placeholder that `save_model` leaves out.

    Raises:
        UsageError: `classes` and `num_classes` disagree.
        WeightsError: The tensors fit no size, or too few of the encoder's are there.
    """
    if converted.model is None:
        msg = f"the tensors fit no size of SegNeXt; known sizes: {', '.join(MODELS)}"
        raise WeightsError(msg)
    count = _count_classes(num_classes, classes)
    if count is None:
        count = converted.num_classes
    model = create_model(
        converted.model,
        num_classes=1 if count is None else count,
        in_channels=converted.in_channels if in_channels is None else in_channels,
    )
    notes = (*converted.notes, *start_from(model, converted))
    if classes is None and converted.class_names is not None and count == converted.num_classes:
        classes = Classes(converted.class_names)
    spec = describe_model(model, classes)
    if count is not None:
        # As our own trainings test; `--protocol authors` tests as the authors did.
        spec = replace(spec, protocol=Protocol(resize_to_multiple=GREATEST_STRIDE))
    model.spec = replace(spec, notes=notes, encoder_only=count is None)
    return model.eval(), notes


def start_from(model: SegmentationModel, converted: ConvertedStateDict) -> tuple[str, ...]:
    """Fill a model, of any configuration, with every tensor that fits it.

    The encoder must fit; a decoder or classifier of other sizes starts anew. A stem for other
    image channels gets the mean of its kernels in every channel, scaled so that activations keep
    their size.

    Args:
        model: Changed in place.
        converted: From `convert_state_dict`.

    Returns:
        One line for everything that was adapted or starts anew.

    Raises:
        WeightsError: Less than 95 % of the encoder's tensors are there, or a value is not finite;
            the model is unchanged then.
    """
    notes, absent = _fill(model, model.state_dict(), converted)
    return (*notes, *_explain_decoder(absent, converted, model.config.num_classes))


def fill_encoder(
    model: SegmentationModel | Classifier, converted: ConvertedStateDict
) -> tuple[str, ...]:
    """Fill the encoder of a model, and nothing else, with every tensor that fits it.

    Args:
        model: Changed in place.
        converted: From `convert_state_dict`.

    Returns:
        One line for everything that was adapted or starts anew.

    Raises:
        WeightsError: As for `start_from`.
    """
    expected = {n: own for n, own in model.state_dict().items() if n.startswith("encoder.")}
    notes, _ = _fill(model, expected, converted)
    return tuple(notes)


def _fill(
    model: SegmentationModel | Classifier,
    expected: Mapping[str, Tensor],
    converted: ConvertedStateDict,
) -> tuple[list[str], list[str]]:
    """Fill what is expected with every tensor that fits; return notes, and what is absent."""
    tensors, notes = _adapt_stem(converted.state_dict, model)
    fitting = {
        name: tensors[name]
        for name, own in expected.items()
        if name in tensors and tensors[name].shape == own.shape
    }
    check_finite(fitting, "the weights are unusable")
    absent = [name for name in expected if name not in fitting and is_required(name)]
    notes += _judge_encoder(absent, expected)
    model.load_state_dict(fitting, strict=False)
    return notes, absent


def _count_classes(num_classes: int | None, classes: Classes | None) -> int | None:
    if classes is None:
        return num_classes
    if num_classes not in (None, classes.num_classes):
        msg = f"num_classes is {num_classes}, but {classes.num_classes} classes are named"
        raise UsageError(msg)
    return classes.num_classes


def _adapt_stem(
    tensors: Mapping[str, Tensor], model: SegmentationModel | Classifier
) -> tuple[Mapping[str, Tensor], list[str]]:
    """Spread the mean kernel of the first convolution (C, source, 3, 3) over other channels."""
    kernels, channels = tensors.get(STEM), model.config.in_channels
    if kernels is None or kernels.ndim != 4 or kernels.shape[1] in (0, channels):
        return tensors, []
    source = kernels.shape[1]
    mean = kernels.float().mean(dim=1, keepdim=True) * (source / channels)
    note = f"the stem was made for {source} image channels and is adapted to {channels}"
    return {**tensors, STEM: mean.expand(-1, channels, -1, -1)}, [note]


def _judge_encoder(absent: list[str], expected: Mapping[str, Tensor]) -> list[str]:
    needed = [name for name in expected if name.startswith("encoder.") and is_required(name)]
    lacking = [name for name in absent if name.startswith("encoder.")]
    present = len(needed) - len(lacking)
    if present < ENCODER_FIT * len(needed):
        msg = (
            f"only {present} of the encoder's {len(needed)} tensors are there; missing or of "
            f"another shape: {list_some(lacking)}"
        )
        raise WeightsError(msg)
    if not lacking:
        return []
    return [f"{len(lacking)} tensors of the encoder start anew: {list_some(lacking)}"]


def _explain_decoder(absent: list[str], converted: ConvertedStateDict, classes: int) -> list[str]:
    if converted.encoder_only:
        return ["the file holds an encoder alone: the decoder starts untrained"]
    notes = []
    if CLASSIFIER in absent:
        notes.append(
            f"the classifier starts anew: {converted.num_classes or 'no'} classes in the file, "
            f"{classes} in the model"
        )
    if _BASES in absent:
        notes.append("the first bases of the decomposition are made anew: the file has none")
    inner = [
        name
        for name in absent
        if name.startswith("decoder.") and name != _BASES and "classifier" not in name
    ]
    if inner:
        notes.append(f"{len(inner)} tensors of the decoder start anew: {list_some(inner)}")
    return notes
