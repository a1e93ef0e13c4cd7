"""Noise samplers: z is a function of key and index."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.interfaces import Fitted, NoiseSampler, Truncatable
from genframe.testing.catalogue import Checks
from genframe.testing.results import SkippedError, Work, require
from genframe.testing.runs import fitted
from genframe.testing.subject import Subject
from genframe.testing.tensors import generator, keeps_its_state, no_values, require_tensor, same

CHECKS = Checks()

_KEY = 1234567890123456789
_MANY = 1000
_INDICES = (0, 1, 7, 3, 3, 64, 1_000_003, 2**40)


def made(subject: Subject) -> NoiseSampler:
    """A sampler; one that is fitted to a trained run has been."""
    sampler: NoiseSampler = subject.build()
    return fitted(sampler, subject) if isinstance(sampler, Fitted) else sampler


def work(subject: Subject) -> Work:
    """Draws and projects."""
    sampler, indices = made(subject), torch.arange(_MANY)
    return Work(run=lambda: _used(sampler, indices), count=_MANY, unit="samples")


@CHECKS.add("shape", "samples are finite float32 numbers, (N, *shape), for any number of indices")
def shape(subject: Subject) -> str:
    """Also for one index, and for none."""
    sampler = made(subject)
    is_shape = isinstance(sampler.shape, tuple) and all(isinstance(size, int) and size > 0 for size in sampler.shape)
    require(is_shape, f"the shape is a tuple of positive whole numbers; it is {sampler.shape!r}")
    for count in (5, 1, 0):
        drawn = sampler.draw(torch.arange(count), _KEY)
        require_tensor(drawn, f"a draw of {count} samples", (count, *sampler.shape))
    return f"z has the shape {sampler.shape}"


@CHECKS.add("seeds", "equal keys give equal bits, other keys others")
def seeds(subject: Subject) -> None:
    """Whatever was drawn before, and from another instance."""
    sampler, indices = made(subject), torch.arange(32)
    drawn = sampler.draw(indices, _KEY)
    sampler.draw(indices, 5)
    require(same(sampler.draw(indices, _KEY), drawn), "the same key gave other numbers the second time")
    require(same(made(subject).draw(indices, _KEY), drawn), "another instance gives other numbers for the same key")
    require(not same(sampler.draw(indices, _KEY + 1), drawn), "another key gives the same numbers")
    require(bool((drawn != drawn[:1]).any()), "all indices have the same numbers")


@CHECKS.add("independence", "sample i depends on the key and on i alone, whatever is drawn with it")
def independence(subject: Subject) -> None:
    """Alone, in another order, twice, and beyond 2**32."""
    sampler, indices = made(subject), torch.tensor(_INDICES)
    together = sampler.draw(indices, _KEY)
    for place, index in enumerate(_INDICES):
        alone = sampler.draw(indices[place : place + 1], _KEY)[0]
        require(same(alone, together[place]), f"sample {index} alone differs from itself among others")
    order = torch.randperm(len(indices), generator=generator())
    require(same(sampler.draw(indices[order], _KEY), together[order]), "samples differ when drawn in another order")


@CHECKS.add("key", "the key may be a tensor, and no tensor's value is read, so that steps can be recorded")
def key(subject: Subject) -> None:
    """``int64 ()`` gives the bits that the number gives."""
    sampler, indices = made(subject), torch.arange(16)
    drawn = sampler.draw(indices, _KEY)
    with no_values():
        by_tensor = sampler.draw(indices, torch.tensor(_KEY))
    require(same(by_tensor, drawn), "a key in a tensor gives other numbers than the same key as a number")


@CHECKS.add("projection", "project keeps samples as they are, and projecting twice changes nothing more")
def projection(subject: Subject) -> None:
    """To the last bits of float32."""
    sampler = made(subject)
    drawn = sampler.draw(torch.arange(64), _KEY)
    kept = require_tensor(sampler.project(drawn.clone()), "a projection", tuple(drawn.shape))
    require(_near(kept, drawn), f"project moves samples of the law by up to {_gap(kept, drawn):.3g}")
    far = 3.0 * torch.randn(drawn.shape, generator=generator())
    once = require_tensor(sampler.project(far), "a projection", tuple(drawn.shape))
    twice = sampler.project(once)
    require(_near(twice, once), f"project moves what it has projected by up to {_gap(twice, once):.3g}")


@CHECKS.add("truncation", "a truncated law is a law, too, and its samples are within its bound")
def truncation(subject: Subject) -> None:
    """At a bound of 1."""
    sampler = made(subject)
    if not isinstance(sampler, Truncatable):
        raise SkippedError("it has no truncated law")
    narrow, indices = sampler.truncated(1.0), torch.arange(256)
    drawn = require_tensor(narrow.draw(indices, _KEY), "a draw of the truncated law", (256, *sampler.shape))
    require(same(narrow.draw(indices[9:], _KEY), drawn[9:]), "truncated samples depend on what is drawn with them")
    most = float(drawn.abs().max())
    require(most <= 1.0 + 1e-6, f"samples of the law that is truncated at 1 reach {most:.3g}")


@CHECKS.add("state", "numbers of its own are tensors, and another instance takes them back")
def state(subject: Subject) -> str:
    """As a checkpoint keeps them."""
    return keeps_its_state(lambda: made(subject), lambda sampler: _used(sampler, torch.arange(_MANY)))


def _used(sampler: NoiseSampler, indices: Tensor) -> Tensor:
    return sampler.project(sampler.draw(indices, _KEY))


def _near(value: Tensor, reference: Tensor) -> bool:
    return torch.allclose(value, reference, rtol=1e-5, atol=1e-6)


def _gap(value: Tensor, reference: Tensor) -> float:
    return float((value - reference).abs().max())
