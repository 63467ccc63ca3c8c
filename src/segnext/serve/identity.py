"""Which model answers: what /v1/model says, and what every answer is signed with."""

from dataclasses import dataclass
from typing import Any

from segnext import __version__
from segnext.predict import Predictor
from segnext.serve.answers import OUTPUTS
from segnext.serve.settings import Settings


@dataclass(frozen=True)
class Identity:
    """A model as clients know it.

    Attributes:
        name: Of the weights, without folders.
        fingerprint: SHA-256 of its files.
    """

    name: str
    fingerprint: str

    @property
    def signature(self) -> str:
        """Name and the beginning of the fingerprint, for a header."""
        plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in self.name)
        return f"{plain}@{self.fingerprint[:12]}"

    def labels(self, predictor: Predictor) -> dict[str, str]:
        """Return the labels of the metrics' info line."""
        return {
            "name": self.name,
            "model": predictor.spec.model,
            "fingerprint": self.fingerprint[:12],
            "backend": predictor.backend,
            "version": __version__,
        }

    def describe(self, predictor: Predictor, settings: Settings) -> dict[str, Any]:
        """Return what /v1/model answers."""
        spec = predictor.spec
        named = zip(spec.classes.label_names, spec.classes.label_colors, strict=True)
        return {
            "name": self.name,
            "model": spec.model,
            "fingerprint": self.fingerprint,
            "license": spec.license,
            "notes": list(spec.notes),
            "score": spec.score,
            "channels": spec.normalization.channels,
            "protocol": predictor.protocol.describe(),
            "backend": predictor.backend,
            "version": __version__,
            "classes": [
                {"id": label, "name": name, "color": list(color)}
                for label, (name, color) in enumerate(named)
            ],
            "outputs": list(OUTPUTS),
            "limits": {
                "pixels": settings.max_pixels,
                "bytes": settings.max_bytes,
                "seconds": settings.timeout_s,
                "urls": settings.allow_urls,
            },
        }
