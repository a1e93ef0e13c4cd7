"""Features of pictures that were learnt without labels, for a linear classifier to read."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d, mse_loss

from genframe.analysis.classifier import draw_weights
from genframe.analysis.placing import device_of, placed
from genframe.errors import ConfigError, quoted
from genframe.interfaces import Condition, Dataset, RunView
from genframe.randomness import derive_key, seeded_generator
from genframe.shapes import LABEL_KINDS
from genframe_metrics.patches import PatchDictionary

#: Each convolution's output is max-pooled to so many cells a side.
_CELLS = 4

#: A conditional critic is shown each picture under this many of the run's known conditions.
_CONDITIONS = 10


class Features(Protocol):
    """What a picture is described by."""

    @property
    def protocol(self) -> Mapping[str, str | int]:
        """How they came about."""

    def __call__(self, images_NCHW: Tensor) -> Tensor:
        """``float32 (N, F)`` on the CPU, from ``uint8`` pictures."""


class Pixels:
    """The picture itself."""

    protocol: Mapping[str, str | int] = {}

    def __call__(self, images_NCHW: Tensor) -> Tensor:
        """Its numbers, 0 to 1."""
        return images_NCHW.flatten(1).float() / 255.0


class Convolutions:
    """The outputs of all convolutions of a network, each max-pooled to 4x4.

    Where the network is told labels, a picture's own label would give the answer away. So every picture is shown with
    the same conditions, whatever its own, and the features are the mean.

    Args:
        forward: from pictures in [-1, 1] on the network's device and one of the conditions.
        network: whose convolutions they are.
        conditions: at least one, of a batch of one.
    """

    def __init__(
        self, forward: Callable[[Tensor, Condition], Any], network: nn.Module, conditions: list[Condition]
    ) -> None:
        self._forward, self._network, self._conditions = forward, network, conditions
        told = f"the mean over the same {len(conditions)} conditions for every picture"
        self.protocol: Mapping[str, str | int] = {"critic_is_told": told} if conditions != [{}] else {}

    def __call__(self, images_NCHW: Tensor) -> Tensor:
        """The mean over the conditions."""
        device = device_of({"network": self._network})
        signed_NCHW = images_NCHW.to(device).float() / 127.5 - 1.0
        with torch.inference_mode():
            return torch.stack([self._under(signed_NCHW, each) for each in self._conditions]).mean(0).clone()

    def _under(self, images_NCHW: Tensor, condition: Condition) -> Tensor:
        repeated = {name: values.expand(len(images_NCHW), *values.shape[1:]) for name, values in condition.items()}
        maps = _outputs(self._network, lambda: self._forward(images_NCHW, repeated))
        pooled = [adaptive_max_pool2d(each, tuple(min(side, _CELLS) for side in each.shape[2:])) for each in maps]
        return torch.cat([each.flatten(1) for each in pooled], dim=1).float().cpu()


def of_critic(view: RunView, train: Dataset, image: str) -> Features:
    """Of the run's critic.

    Raises:
        ConfigError: there is none, it has no convolution, or it judges pictures together with others.
    """
    return _of_critic(view, _critic(view))


def of_untrained(view: RunView, train: Dataset, image: str) -> Features:
    """Of the same network with fresh random weights.

    Raises:
        ConfigError: see `of_critic`.
    """
    network = copy.deepcopy(_critic(view)).cpu()
    draw_weights(network, seeded_generator(derive_key(0, "linear-probe untrained")))
    return _of_critic(view, network.eval())


def of_pixels(view: RunView, train: Dataset, image: str) -> Features:
    """The picture itself."""
    return Pixels()


def of_autoencoder(view: RunView, train: Dataset, image: str) -> Features:
    """Of the encoder of a small convolutional autoencoder that has learnt from the training part."""
    network = _autoencoder(train, image)
    encoder = network[0]
    return Convolutions(lambda images, _condition: encoder(images), encoder, [{}])


#: By the name that users choose.
MAKERS: Mapping[str, Callable[[RunView, Dataset, str], Features]] = {
    "critic": of_critic,
    "untrained": of_untrained,
    "pixels": of_pixels,
    "kmeans": lambda view, train, image: PatchDictionary(train, image),
    "autoencoder": of_autoencoder,
}


# The critic


def _critic(view: RunView) -> nn.Module:
    networks = view.trained.networks
    if "critic" not in networks:
        raise ConfigError(
            f"the metric 'linear-probe' reads a critic's features, and this run has the networks {quoted(networks)}: "
            "choose other features with --set features=pixels, kmeans or autoencoder"
        )
    return networks["critic"]


def _of_critic(view: RunView, network: nn.Module) -> Features:
    problem = view.trained.problem
    others = [name for name, field in problem.condition.items() if field.kind not in LABEL_KINDS]
    if others:
        raise ConfigError(
            f"the metric 'linear-probe' shows the critic pictures alone, and this run's critic judges them together "
            f"with {quoted(others)}: choose other features with --set features=pixels, kmeans or autoencoder"
        )
    if not any(isinstance(layer, nn.Conv2d) for layer in network.modules()):
        raise ConfigError(
            "the metric 'linear-probe' reads the outputs of convolutions, and this run's critic has none: choose other "
            "features with --set features=pixels, kmeans or autoencoder"
        )
    conditions: list[Condition] = [{}]
    if problem.condition:
        known = placed(view.samples(_known(view)).condition, device_of({"critic": network}), problem)
        count = len(next(iter(known.values())))
        conditions = [{name: values[place : place + 1] for name, values in known.items()} for place in range(count)]
    return Convolutions(network, network, conditions)


def _known(view: RunView) -> int:
    """How many conditions are shown: no class twice."""
    fields = view.trained.problem.condition.values()
    if any(field.kind != "class" for field in fields):
        return _CONDITIONS
    return min(_CONDITIONS, math.prod(field.width for field in fields))


def _outputs(network: nn.Module, run: Callable[[], Any]) -> list[Tensor]:
    """What the convolutions give, in the order of the calls.

    A block of genframe computes its convolution itself and with all that follows it; its output counts, and of any
    other convolution its own.
    """
    found: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4:
            found[module] = output

    blocks = [module for module in network.modules() if isinstance(module, nn.Sequential) and _convolutions(module)]
    watched = {*blocks, *(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))}
    handles = [module.register_forward_hook(keep) for module in watched]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    doubled = {block for block in blocks if any(layer in found for layer in _convolutions(block))}
    return [output for module, output in found.items() if module not in doubled]


def _convolutions(block: nn.Module) -> list[nn.Module]:
    return [layer for layer in block.children() if isinstance(layer, nn.Conv2d)]


# The autoencoder

_WIDTHS, _CODE = (32, 64), 64
_SEEN, _BATCH, _RATE = 20_000, 64, 2e-3


def _autoencoder(train: Dataset, image: str) -> nn.Sequential:
    """Two convolutions that halve the picture, a code of 64 numbers, and the way back; Adam on the squared error."""
    channels, height, width = train.fields[image].shape
    small = (_WIDTHS[1], math.ceil(height / 4), math.ceil(width / 4))
    with torch.device("meta"):  # layers draw weights from the global generator where they have memory
        encoder = nn.Sequential(*_halving(channels, _WIDTHS[0]), *_halving(*_WIDTHS))
        code = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(small), _CODE), nn.Linear(_CODE, math.prod(small)))
        middle = (math.ceil(height / 2), math.ceil(width / 2))
        decoder = nn.Sequential(
            nn.Unflatten(1, small),
            *(nn.Upsample(middle), nn.Conv2d(_WIDTHS[1], _WIDTHS[0], 3, 1, 1), nn.BatchNorm2d(_WIDTHS[0]), nn.ReLU()),
            *(nn.Upsample((height, width)), nn.Conv2d(_WIDTHS[0], channels, 3, 1, 1), nn.Tanh()),
        )
        network = nn.Sequential(encoder, code, decoder)
    rng = seeded_generator(derive_key(0, "linear-probe autoencoder"))
    draw_weights(network.to_empty(device="cpu"), rng)
    optimizer = torch.optim.Adam(network.parameters(), _RATE)
    with torch.enable_grad():
        for indices in _batches(len(train), rng):
            signed = train.read(indices, epoch=0, seed=0)[image].float() / 127.5 - 1.0
            loss = mse_loss(network(signed), signed)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return network.eval().requires_grad_(False)


def _halving(channels: int, width: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]


def _batches(count: int, rng: torch.Generator) -> Iterator[list[int]]:
    """Random batches, 20,000 pictures in all."""
    for _ in range(_SEEN // _BATCH):
        yield torch.randint(count, (_BATCH,), generator=rng).tolist()
