"""A plugin that offers names which others have taken: genframe's own ``uniform`` and genframe-fog's ``fog``."""

import genframe
from genframe.specs import NoiseSpec


class Nothing:
    """Zeros."""

    shape = (16,)

    def __init__(self, settings):
        pass

    def draw(self, indices, key):
        import torch

        return torch.zeros(len(indices), *self.shape, device=indices.device)

    def project(self, noise):
        return noise * 0


@genframe.hookimpl
def genframe_noise_samplers():
    for name in ("fog", "uniform"):
        yield NoiseSpec(name=name, summary="Nothing, under a name that is taken", factory=Nothing)
