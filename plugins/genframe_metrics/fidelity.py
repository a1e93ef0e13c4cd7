"""Figures of the literature, in the features of Inception and by the code that papers compare with.

torch-fidelity (Obukhov et al., 2020) reproduces the original TensorFlow code to the digits that are reported. It is an
extra, and the weights of Inception (96 MB) are not ours to bring: nothing here downloads them.

Grey pictures are shown to Inception as RGB, transparent ones on white. Inception has seen photographs of 299x299 only:
of digits or drawings, these figures say little.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from genframe.analysis.fields import first_of, image_name
from genframe.analysis.labelled import pixels
from genframe.analysis.placing import device_of
from genframe.errors import ConfigError, DataError
from genframe.interfaces import Measurement, RunView
from genframe_metrics.features import check_counts
from genframe_metrics.settings import FidelitySettings

_URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"

#: The inception score is the mean of ten parts.
_FEWEST = 10

#: As the authors of the kernel distance have it, where there are as many samples.
_SUBSET = 1000


class _Inception:
    """What the figures share.

    Attributes:
        name: of the metric.
        compares: whether real pictures are looked at.
    """

    name: str
    compares = True

    def __init__(self, settings: FidelitySettings) -> None:
        check_counts(self.name, _FEWEST, count=settings.count, reference=settings.reference)
        self._settings = settings

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Raises:
            ConfigError: the extra is missing, or the run makes no pictures.
            DataError: the weights or the data are not there, or a sample is not finite.
        """
        problem = view.trained.problem
        if problem.output.kind != "image" or problem.output.shape[0] not in (1, 3, 4):
            raise ConfigError(
                f"the metric '{self.name}' shows Inception pictures in grey, RGB or RGBA, and this run generates "
                f"{problem.output.kind} of shape {problem.output.shape}"
            )
        fidelity, weights = _torch_fidelity(self.name), self._weights()
        shape, count = problem.output.shape, self._settings.count
        generated = torch.cat([pixels(piece).view(-1, *shape) for piece in view.stream(count)])
        inputs = {"input1": _Pictures(generated)}
        if self.compares:
            dataset = view.dataset()
            image = image_name(dataset, problem)
            real = first_of(dataset.split("heldout"), image, self._settings.reference)
            if len(real) < _FEWEST:
                raise DataError(f"the metric '{self.name}' needs {_FEWEST} held-out pictures; the data has {len(real)}")
            inputs["input2"] = _Pictures(real)
        with torch.random.fork_rng(devices=[]):  # its data loader draws from the global generator
            figures = fidelity.calculate_metrics(
                **inputs,
                **self._asked(min(len(each) for each in inputs.values())),
                feature_extractor_weights_path=weights,
                cuda=device_of(view.trained.networks).type == "cuda",
                cache=False,
                save_cpu_ram=True,  # without processes that read pictures, which are in memory already
                verbose=False,
            )
        value, further = self._read(figures)
        return Measurement(
            value=value,
            protocol={
                "samples": count,
                **({"reference": "held-out", "reference_samples": len(inputs["input2"])} if self.compares else {}),
                "features": "Inception v3 of 2015-12-05",
                "torch_fidelity": fidelity.__version__,
                **further,
                "seed": view.seed,
                "batch_norm": "running",
            },
        )

    @abstractmethod
    def _asked(self, fewest: int) -> Mapping[str, Any]:
        """What torch-fidelity is asked for, where the smaller side has so many samples."""

    @abstractmethod
    def _read(self, figures: Mapping[str, float]) -> tuple[float, Mapping[str, str | int | float]]:
        """The figure, and what more the protocol says."""

    def _weights(self) -> str:
        """The file of the weights.

        Raises:
            DataError: it is not there, or holds something else.
        """
        kept = os.path.join(torch.hub.get_dir(), "checkpoints", os.path.basename(_URL))
        path = os.path.expanduser(self._settings.weights) or kept
        if not os.path.isfile(path):
            raise DataError(
                f"the metric '{self.name}' needs the weights of Inception, and {path} is not there: download {_URL} "
                "to it, or say where they are with --set weights=FILE"
            )
        try:
            torch.load(path, map_location="cpu", weights_only=True)  # torch-fidelity itself would run what is in it
        except Exception:  # it raises whatever the reading of an archive or of its content does
            raise DataError(
                f"{path} does not hold the weights of Inception or is damaged: download {_URL} again"
            ) from None
        return path


class InceptionDistance(_Inception):
    """Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017."""

    name = "fid"

    def _asked(self, fewest: int) -> Mapping[str, Any]:
        return {"fid": True}

    def _read(self, figures: Mapping[str, float]) -> tuple[float, Mapping[str, str | int | float]]:
        return figures["frechet_inception_distance"], {}


class InceptionKernelDistance(_Inception):
    """Bińkowski et al., "Demystifying MMD GANs", 2018: the mean of 100 subsets."""

    name = "kid"

    def _asked(self, fewest: int) -> Mapping[str, Any]:
        return {"kid": True, "kid_subsets": 100, "kid_subset_size": min(_SUBSET, fewest)}

    def _read(self, figures: Mapping[str, float]) -> tuple[float, Mapping[str, str | int | float]]:
        deviation = figures["kernel_inception_distance_std"]
        return figures["kernel_inception_distance_mean"], {"subsets": 100, "subsets_deviation": deviation}


class InceptionScore(_Inception):
    """Salimans et al., "Improved techniques for training GANs", 2016: the mean of ten parts; no real pictures."""

    name = "is"
    compares = False

    def _asked(self, fewest: int) -> Mapping[str, Any]:
        return {"isc": True, "isc_splits": 10}

    def _read(self, figures: Mapping[str, float]) -> tuple[float, Mapping[str, str | int | float]]:
        return figures["inception_score_mean"], {"parts": 10, "parts_deviation": figures["inception_score_std"]}


class _Pictures(Dataset[Tensor]):
    """``uint8 (3, H, W)`` each, as torch-fidelity takes them."""

    def __init__(self, images_NCHW: Tensor) -> None:
        self._images_NCHW = images_NCHW

    def __len__(self) -> int:
        return len(self._images_NCHW)

    def __getitem__(self, place: int) -> Tensor:
        image_CHW = self._images_NCHW[place]
        if len(image_CHW) == 4:
            opacity_1HW = image_CHW[3:].float() / 255.0
            return (image_CHW[:3] * opacity_1HW + 255.0 * (1.0 - opacity_1HW)).round().byte()
        return image_CHW.expand(3, -1, -1)


def _torch_fidelity(metric: str) -> Any:
    try:
        import torch_fidelity
    except ImportError:
        raise ConfigError(
            f"the metric '{metric}' needs the extra 'fidelity': pip install 'genframe[fidelity]'"
        ) from None
    return torch_fidelity
