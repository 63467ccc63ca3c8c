"""Who meets whom: networks, backends and the heats that are run together.

Nothing heavy is imported here: the driver and every worker read this file.
"""

from dataclasses import dataclass

# What a network's name starts with, and the environment that has it.
ENVIRONMENTS = {
    "segnext": "segnext",
    "mmseg": "rivals",
    "transformers": "rivals",
    "torchvision": "vision",
    "smp": "vision",
}
SIZES = ("tiny", "small", "base")
EAGER = ("eager", "channels_last")
GRAPHS = ("onnxruntime", "openvino")
FORMS = ("inside", "outside")


@dataclass(frozen=True)
class Contestant:
    """A network in a backend.

    Attributes:
        network: Where it comes from and its name, such as `mmseg/tiny`.
        backend: One of ours for `segnext/...`; `eager`, `channels_last`, `onnxruntime` or
            `openvino` for rivals.
        form: `inside` or `outside`: whether a graph holds resizing and argmax; empty lets the
            worker take the faster.
    """

    network: str
    backend: str
    form: str = ""

    @property
    def environment(self) -> str:
        """Which python it needs: `segnext`, `rivals` or `vision`."""
        return ENVIRONMENTS[self.network.partition("/")[0]]

    @property
    def name(self) -> str:
        """Both in one, for people and files."""
        return " ".join(filter(None, (self.network, self.backend, self.form)))


def build_heats(our_backends: list[str]) -> dict[str, list[Contestant]]:
    """Return the heats by name; the first contestant of each is what the others are held against.

    A heat's workers stay alive together, so a heat has to fit into memory.
    """

    def ours(size: str) -> list[Contestant]:
        return [Contestant(f"segnext/{size}", backend) for backend in our_backends]

    def theirs(network: str, backends: tuple[str, ...]) -> list[Contestant]:
        return [Contestant(network, backend) for backend in backends]

    reference = Contestant("mmseg/tiny", "eager")
    same_weights = {size: [*theirs(f"mmseg/{size}", EAGER + GRAPHS), *ours(size)] for size in SIZES}
    segformers = {
        name: [reference, *ours("tiny"), *theirs(f"transformers/{name}", EAGER + GRAPHS)]
        for name in ("segformer-b0", "segformer-b2")
    }
    # OpenVINO alone of the graph backends: it won wherever both were tried.
    others = [
        contestant
        for network in (
            "torchvision/lraspp-mobilenetv3",
            "torchvision/deeplabv3-resnet50",
            "smp/unet-resnet34",
            "smp/segformer-mit_b2",
        )
        for contestant in theirs(network, (*EAGER, "openvino"))
    ]
    return {**same_weights, **segformers, "vision": [reference, *ours("tiny"), *others]}


def memory_contestants(our_backends: list[str]) -> list[Contestant]:
    """Return who is measured by `--memory`, the reference first.

    Trying forms out would touch the memory that is to be measured: each is a contestant.
    """
    return [
        *(
            contestant
            for network in ("mmseg/tiny", "transformers/segformer-b0")
            for contestant in (
                *(Contestant(network, memory_format) for memory_format in EAGER),
                *(Contestant(network, graph, form) for graph in GRAPHS for form in FORMS),
            )
        ),
        *(Contestant("segnext/tiny", backend) for backend in our_backends),
    ]


def training_contestants() -> list[Contestant]:
    """Return who is measured by `--training`, the reference first."""
    return [
        *(Contestant("mmseg/tiny", memory_format) for memory_format in EAGER),
        Contestant("segnext/tiny", "channels_last"),
        Contestant("segnext/tiny", "checkpointing"),
    ]


def reference_of(contestant: Contestant) -> Contestant:
    """Return whose numbers a contestant should compute: the same weights, run eagerly."""
    source, _, size = contestant.network.partition("/")
    return Contestant(f"mmseg/{size}" if source == "segnext" else contestant.network, "eager")
