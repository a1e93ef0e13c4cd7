"""What a trained autoencoder makes of held-out pictures: in nats, and to look at."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from genframe.errors import ConfigError, DataError
from genframe.interfaces import Condition, Measurement, RunView
from genframe.pictures import Raster, Row, sheet
from genframe.randomness import derive_key, normal
from genframe_vae import CountSettings
from genframe_vae.bound import Autoencoder

_CHUNK = 512


class HeldoutBound:
    """The mean over held-out pictures and `count` draws from each one's posterior; the divergence has the weight 1."""

    def __init__(self, settings: CountSettings) -> None:
        self._count = settings.count

    @torch.inference_mode()
    def measure(self, view: RunView) -> Measurement:
        """The figure, in nats a picture.

        Raises:
            ConfigError: the run has no autoencoder.
            DataError: the run's data is not there.
        """
        autoencoder, heldout = _autoencoder(view, "elbo"), len(view.dataset().split("heldout"))
        total = 0.0
        for first in range(0, max(heldout, 1), _CHUNK):
            images, condition = _read(view, range(first, min(first + _CHUNK, heldout)))
            indices = torch.arange(first, first + len(images), device=images.device)
            codes = autoencoder.posterior(images, condition)[0].shape[1]
            for draw in range(self._count):
                noise = normal(indices, (codes,), derive_key(view.seed, "elbo", draw))
                reconstruction, divergence = autoencoder.bound(images, condition, noise)
                total += float((reconstruction - divergence).double().sum())
        settings = autoencoder.settings
        laws = {
            "bernoulli": "bernoulli, grey pixels of [0, 1] as probabilities: no density",
            "gaussian": f"gaussian, deviation {settings.deviation} on [-1, 1]",
        }
        further = {"unit": "nats per picture", "likelihood": laws[settings.likelihood]}
        counts = {"queries": heldout, "draws": self._count, "seed": view.seed}
        return Measurement(value=total / (self._count * heldout), protocol={**counts, **further})


class Reconstructions:
    """The first `count` held-out pictures, and the decoder's mean pictures at the means of their posteriors."""

    def __init__(self, settings: CountSettings) -> None:
        self._count = settings.count

    @torch.inference_mode()
    def draw(self, view: RunView) -> Raster:
        """The sheet.

        Raises:
            ConfigError: the run has no autoencoder.
            DataError: the run's data is not there.
        """
        autoencoder = _autoencoder(view, "reconstructions")
        images, condition = _read(view, range(self._count))
        means = autoencoder(autoencoder.posterior(images, condition)[0], condition)
        rows = [Row(label="held out", images=images), Row(label="reconstruction", images=means)]
        return sheet(rows, title=view.title, smooth=True)


def _autoencoder(view: RunView, asks: str) -> Autoencoder:
    autoencoder = view.trained.generator
    if not isinstance(autoencoder, Autoencoder):
        raise ConfigError(
            f"'{asks}' needs an encoder and a decoder, which this run has not: leave it out, or train with --plugin vae"
        )
    return autoencoder


def _read(view: RunView, places: range) -> tuple[Tensor, Condition]:
    """Held-out pictures in [-1, 1] and their labels, on the networks' device; at most as many as there are."""
    problem, data = view.trained.problem, view.dataset().split("heldout")
    names = [name for name, field in data.fields.items() if field == problem.output]
    if len(names) != 1 or any(data.fields.get(name) != field for name, field in problem.condition.items()):
        raise DataError("the dataset is not like that of the run: show it the data that it was trained on")
    if not len(data):
        raise DataError("nothing of the dataset is held out, and held-out pictures are asked for; add some")
    device = next(view.trained.networks["decoder"].parameters()).device
    batch = data.read(places[: len(data)], epoch=0, seed=0)
    condition: Mapping[str, Tensor] = {name: batch[name].to(device) for name in problem.condition}
    return batch[names[0]].to(device).float() / 127.5 - 1.0, condition
