"""Walking through the space of z: the z of samples by index, paths between them, and pictures of any z.

Tensor axes: N samples, S places on a path, Z the noise, of any shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from genframe.analysis.placing import device_of, placed
from genframe.errors import ConfigError
from genframe.interfaces import Condition, RunView

#: So many pictures are computed together; samples are, too.
_CHUNK = 64

#: Below this sine, two directions have no plane in common that float64 would find.
_PARALLEL = 1e-9


def check_latent(view: RunView, who: str) -> None:
    """Refuses a run that has no z to look at, or makes no single pictures.

    Args:
        view: of the run.
        who: is asking, as ``the visualizer 'interpolation'``.

    Raises:
        ConfigError: naming `who`.
    """
    problem = view.trained.problem
    if problem.output.kind != "image":
        raise ConfigError(
            f"{who} shows single pictures, and this run generates {problem.output.kind}: draw 'samples', or write the "
            "numbers with genframe sample --output FILE.npz"
        )
    if problem.noise_shape is None:
        raise ConfigError(f"{who} looks at the space of z, and this run generates without noise: draw 'samples'")


def samples_at(view: RunView, indices: Sequence[int]) -> tuple[Tensor, Condition]:
    """The z ``float32 (N, *Z)`` and the condition of the samples with these indices, on the CPU.

    Raises:
        ConfigError: an index below 0.
    """
    wrong = [index for index in indices if index < 0]
    if wrong:
        raise ConfigError(f"samples are named by their index, from 0 on; got {wrong[0]}")
    blocks = {block: view.samples(_CHUNK, first=block * _CHUNK) for block in sorted({i // _CHUNK for i in indices})}
    places = [(blocks[index // _CHUNK], index % _CHUNK) for index in indices]
    noise_NZ = torch.stack([samples.noise[place] for samples, place in places if samples.noise is not None])
    names = view.trained.problem.condition
    return noise_NZ, {name: torch.stack([each.condition[name][place] for each, place in places]) for name in names}


def repeated(condition: Condition, times: int) -> Condition:
    """Each row of a condition `times` times, one after the other."""
    return {name: values.repeat_interleave(times, 0) for name, values in condition.items()}


def rendered(view: RunView, noise: Tensor, condition: Condition) -> Tensor:
    """The pictures of any z, ``float32 (N, C, H, W)`` in [-1, 1] on the CPU.

    A z that lies outside the support of the law of the training is replaced by the nearest point of the support
    (`genframe.interfaces.NoiseSampler.project`), since the generator never saw anything like it: the numbers of a
    uniform z are clamped, say, and those of a normal z stay.

    Args:
        view: of the run.
        noise: ``(N, *Z)``.
        condition: of each, as `genframe.interfaces.Samples` has it.
    """
    trained = view.trained
    assert trained.noise is not None  # check_latent
    device, pictures = device_of(trained.networks), []
    with torch.inference_mode():
        for start in range(0, len(noise), _CHUNK):
            part = slice(start, start + _CHUNK)
            conditions = {name: values[part] for name, values in condition.items()}
            noise_BZ = trained.noise.project(noise[part].to(device))
            pictures.append(trained.generator(noise_BZ, placed(conditions, device, trained.problem)).float().cpu())
    return torch.cat(pictures)


def linear(first: Tensor, last: Tensor, steps: int) -> Tensor:
    """The straight way from `first` to `last`, ``(S, *Z)`` of their dtype, both ends included and exact.

    Args:
        first: its beginning, ``(*Z)``.
        last: its end.
        steps: S, at least 2.
    """
    shares_S = torch.linspace(0.0, 1.0, steps, dtype=torch.float64).view(-1, *[1] * first.ndim)
    path_SZ = first.double() * (1.0 - shares_S) + last.double() * shares_S
    return _with_ends(path_SZ, first, last)


def spherical(first: Tensor, last: Tensor, steps: int) -> Tensor:
    """The way along the great circle, ``(S, *Z)`` of their dtype, both ends included and exact.

    Shoemake, "Animating rotation with quaternion curves", 1985; for generators White, "Sampling generative networks",
    2016, section 2: the middle of the straight way between two z of many numbers is much shorter than either, and no
    sample of the training was so short. The direction turns evenly, ``cos(t angle) u + sin(t angle) v`` with u the
    direction of `first` and v perpendicular to it, and the length changes evenly from one to the other.

    Between opposite points every half circle is as short: taken is the one through the axis along which `first` is
    shortest. Where there is no circle (z is a single number, or an end is zero) the way is straight.
    """
    first_D, last_D = first.double().flatten(), last.double().flatten()
    lengths = float(first_D.norm()), float(last_D.norm())
    if len(first_D) == 1 or 0.0 in lengths:
        return linear(first, last, steps)
    towards_D, target_D = first_D / lengths[0], last_D / lengths[1]
    across_D, angle = _plane(towards_D, target_D)
    shares_S1 = torch.linspace(0.0, 1.0, steps, dtype=torch.float64)[:, None]
    directions_SD = (shares_S1 * angle).cos() * towards_D + (shares_S1 * angle).sin() * across_D
    path_SD = directions_SD * (lengths[0] * (1.0 - shares_S1) + lengths[1] * shares_S1)
    return _with_ends(path_SD.view(-1, *first.shape), first, last)


def _plane(towards_D: Tensor, target_D: Tensor) -> tuple[Tensor, float]:
    """A direction perpendicular to the first of two, in the plane of both; and the angle between the two."""
    cosine = float(towards_D @ target_D)
    across_D = target_D - cosine * towards_D
    sine = float(across_D.norm())
    if sine > _PARALLEL:
        return across_D / sine, math.atan2(sine, cosine)
    axis_D = torch.zeros_like(towards_D)
    axis_D[towards_D.abs().argmin()] = 1.0
    across_D = axis_D - (axis_D @ towards_D) * towards_D
    return across_D / across_D.norm(), 0.0 if cosine > 0 else math.pi


def _with_ends(path_SZ: Tensor, first: Tensor, last: Tensor) -> Tensor:
    path_SZ = path_SZ.to(first.dtype)
    path_SZ[0], path_SZ[-1] = first, last
    return path_SZ
