"""Every known data set by name."""

from segnext.data.datasets.known_dataset import KnownDataset

_DATASETS: tuple[KnownDataset, ...] = ()

DATASETS: dict[str, KnownDataset] = {entry.name: entry for entry in _DATASETS}
