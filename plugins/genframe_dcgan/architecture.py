"""From a problem to both networks: sizes, channels, initial weights; and what cannot be served, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn

from genframe.errors import ConfigError, quoted
from genframe.interfaces import Conditioning
from genframe.shapes import Problem
from genframe_dcgan import DCGANSettings
from genframe_dcgan.geometry import Size, default_depth, halvings, most_halvings
from genframe_dcgan.initialisation import initialise
from genframe_dcgan.networks import Critic, Generator
from genframe_kernels import normalise_spectrum

_SMALLEST = 8


class DCGAN:
    """Builds both networks at the size that the problem asks for."""

    def __init__(self, settings: DCGANSettings) -> None:
        self.settings = settings

    def build(self, problem: Problem, conditioning: Conditioning) -> Mapping[str, nn.Module]:
        """``{"generator": noise_BZ, condition -> images_BCHW; "critic": images_BCHW, condition -> logits_B}``.

        Raises:
            ConfigError: the output is no picture, or too small; there is no noise; the condition is more than labels.
        """
        _refuse_what_does_not_fit(problem)
        colours, *size = problem.output.shape
        noise = math.prod(problem.noise_shape or ())
        generator = self._planned(colours, (size[0], size[1]), self.settings.generator_channels)
        critic = self._planned(colours, (size[0], size[1]), self.settings.critic_channels)
        networks = {
            "generator": Generator(self.settings, noise, *generator, conditioning),
            "critic": Critic(self.settings, *critic, conditioning),
        }
        for network in networks.values():
            initialise(network, self.settings)
        if self.settings.spectral_norm:
            normalise_spectrum(networks["critic"])
        return networks

    def _planned(self, colours: int, size: Size, channels: tuple[int, ...] | None) -> tuple[list[int], list[Size]]:
        """The channels and the sizes of all pictures, the output's first."""
        settings = self.settings
        depth = len(channels) if channels else settings.depth or default_depth(size, _SMALLEST)
        if depth > most_halvings(size):
            raise ConfigError(
                f"architecture 'dcgan' got depth = {depth} for pictures of {size[0]}x{size[1]}, which can be halved "
                f"{most_halvings(size)} times at most; choose a smaller depth or leave it out"
            )
        hidden = channels or tuple(settings.width * 2**level for level in range(depth))
        return [colours, *hidden], halvings(size, depth, settings.kernel, settings.padding)


def _refuse_what_does_not_fit(problem: Problem) -> None:
    output = problem.output
    if output.kind != "image":
        raise ConfigError(
            f"architecture 'dcgan' got data of kind {output.kind!r} and makes images only; "
            "choose image data or another architecture"
        )
    if min(output.shape[1:]) < _SMALLEST:
        raise ConfigError(
            f"architecture 'dcgan' got pictures of {output.shape[1]}x{output.shape[2]} and needs at least "
            f"{_SMALLEST}x{_SMALLEST}; choose larger ones with --image-size"
        )
    if problem.noise_shape is None:
        raise ConfigError(
            "architecture 'dcgan' got no noise and makes its pictures from it; choose an algorithm with a noise sampler"
        )
    others = problem.condition.keys() - problem.labels.keys()
    if others:
        raise ConfigError(
            f"architecture 'dcgan' got the condition {quoted(sorted(others))} and takes labels only; "
            "choose an architecture that reads it"
        )
