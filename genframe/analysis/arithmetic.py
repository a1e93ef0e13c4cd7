"""Vector arithmetic of z: whether "with glasses" minus "without" plus another face gives that face with glasses.

Radford, Metz and Chintala, "Unsupervised representation learning with deep convolutional generative adversarial
networks", 2016, section 6.3.2: ``G(mean z_A - mean z_B + mean z_C)``, each mean over three samples chosen by eye, since
single samples were unstable. Here a classifier chooses, and reads the result.

With means over three samples the result is as long as any z: each mean has a third of the variance of a z, and three
of them are added. Axes: N samples, Z the noise, of any shape, K attributes, T triples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from genframe.analysis.classifier import TrainedClassifier
from genframe.analysis.latent import rendered
from genframe.interfaces import Condition, RunView
from genframe.pictures import to_uint8
from genframe.randomness import derive_key, uniform

#: Reads attributes ``bool (N, K)`` off pictures, float ``(N, C, H, W)`` in [-1, 1].
Reader = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Samples and what they show.

    Attributes:
        noise: ``(N, *Z)``.
        condition: of each.
        attributes: ``bool (N, K)``.
    """

    noise: Tensor
    condition: Condition
    attributes: Tensor

    def showing(self, pattern: Tensor, among: Tensor | None = None) -> Tensor:
        """The samples, ``int64 (n,)`` in order, that show exactly the attributes of `pattern`, ``bool (K,)``.

        Args:
            pattern: what is wanted.
            among: the attributes that are looked at, ``bool (K,)``; all of them where it is None.
        """
        differs_NK = self.attributes != pattern
        return (differs_NK if among is None else differs_NK & among).any(1).logical_not().nonzero()[:, 0]


@dataclass(frozen=True, kw_only=True)
class Triple:
    """A question: A has the attribute and B lacks it, both on one base; C, another base, is to get it.

    Attributes:
        attribute: its place among the K.
        a, b, c, wanted: what samples show, ``bool (K,)``.
    """

    attribute: int
    a: Tensor
    b: Tensor
    c: Tensor
    wanted: Tensor


@dataclass(frozen=True, kw_only=True)
class Score:
    """What came of the questions, each ``bool (T,)``.

    Attributes:
        shown: there were samples enough to ask.
        right: the result shows exactly what was wanted.
        gained: it has the attribute, whatever else it shows.
        right_randomly, gained_randomly: the same with random samples in the place of A and B: a step as long in a
            random direction.
    """

    shown: Tensor
    right: Tensor
    gained: Tensor
    right_randomly: Tensor
    gained_randomly: Tensor


def combined(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """``mean a - mean b + mean c``, ``(*Z)``, of samples ``(n, *Z)`` each."""
    return a.mean(0) - b.mean(0) + c.mean(0)


def surroundings(noise: Tensor, count: int, radius: float, seed: int) -> Tensor:
    """``(count, *Z)`` about `noise`, ``(*Z)``: each number moved by up to `radius`, uniformly; 0.25 in the paper."""
    moves = uniform(torch.arange(count), tuple(noise.shape), derive_key(seed, "neighbours of a z"))
    return noise + radius * (2.0 * moves - 1.0)


def reader_of(classifier: TrainedClassifier) -> Reader:
    """What a classifier of a multilabel field reads off pictures."""
    return lambda images_NCHW: classifier.predict(to_uint8(images_NCHW))


def read(view: RunView, reader: Reader, count: int) -> Readings:
    """The first `count` samples of a run and what they show."""
    pieces = [(piece, reader(piece.output)) for piece in view.stream(count)]
    names = view.trained.problem.condition
    return Readings(
        noise=torch.cat([piece.noise for piece, _ in pieces if piece.noise is not None]),
        condition={name: torch.cat([piece.condition[name] for piece, _ in pieces]) for name in names},
        attributes=torch.cat([attributes for _, attributes in pieces]),
    )


def triples(real: Tensor, count: int) -> list[Triple]:
    """Questions that real samples suggest: everything named in one, the wanted result too, occurs among them.

    They are drawn at random, the attribute first, and depend on nothing but the arguments: two runs on the same data
    are asked the same.

    Args:
        real: attributes of real samples, ``bool (N, K)``.
        count: how many.

    Returns:
        `count` of them; none where no attribute is had and lacked on two bases.
    """
    known = {tuple(row) for row in real.tolist()}
    bases: Mapping[int, list[tuple[bool, ...]]] = {
        place: sorted(base for base in known if not base[place] and _with(base, place) in known)
        for place in range(real.shape[1])
    }
    attributes = [place for place, those in bases.items() if len(those) > 1]
    rng = torch.Generator().manual_seed(derive_key(0, "triples of attributes"))
    drawn = []
    for _ in range(count if attributes else 0):
        place = attributes[int(torch.randint(len(attributes), (), generator=rng))]
        base, other = (bases[place][i] for i in torch.randperm(len(bases[place]), generator=rng)[:2].tolist())
        a, b, c, wanted = (torch.tensor(each) for each in (_with(base, place), base, other, _with(other, place)))
        drawn.append(Triple(attribute=place, a=a, b=b, c=c, wanted=wanted))
    return drawn


def scored(view: RunView, reader: Reader, readings: Readings, asked: list[Triple], average: int) -> Score:
    """Asks the questions.

    A run that shows too few samples of A, B or C to ask is wrong there, so that one that shows little does not get the
    easy questions only. The result is generated under the condition of C.

    Args:
        view: of the run.
        reader: of attributes.
        readings: of its samples.
        asked: at least one question.
        average: how many samples each mean is over.
    """
    rng = torch.Generator().manual_seed(derive_key(view.seed, "samples for arithmetic"))
    shown_T = torch.zeros(len(asked), dtype=torch.bool)
    results, random_results, bases = [], [], []
    for place, triple in enumerate(asked):
        pools = [readings.showing(pattern) for pattern in (triple.a, triple.b, triple.c)]
        if min(map(len, pools)) < average:
            continue
        shown_T[place] = True
        chosen = [pool[torch.randperm(len(pool), generator=rng)[:average]] for pool in pools]
        others = torch.split(torch.randperm(len(readings.noise), generator=rng)[: 2 * average], average)
        results.append(combined(*(readings.noise[each] for each in chosen)))
        random_results.append(combined(*(readings.noise[each] for each in (*others, chosen[2]))))
        bases.append(chosen[2][0])
    wanted_TK = torch.stack([triple.wanted for triple in asked])
    attributes_T = torch.tensor([triple.attribute for triple in asked])

    def outcome(noises: list[Tensor]) -> tuple[Tensor, Tensor]:
        right_T, gained_T = torch.zeros_like(shown_T), torch.zeros_like(shown_T)
        if noises:
            condition = {name: values[torch.stack(bases)] for name, values in readings.condition.items()}
            read_SK = reader(rendered(view, torch.stack(noises), condition))
            right_T[shown_T] = (read_SK == wanted_TK[shown_T]).all(1)
            gained_T[shown_T] = read_SK.gather(1, attributes_T[shown_T, None])[:, 0]
        return right_T, gained_T

    right_T, gained_T = outcome(results)
    right_randomly_T, gained_randomly_T = outcome(random_results)
    return Score(
        shown=shown_T,
        right=right_T,
        gained=gained_T,
        right_randomly=right_randomly_T,
        gained_randomly=gained_randomly_T,
    )


def _with(base: tuple[bool, ...], place: int) -> tuple[bool, ...]:
    return (*base[:place], True, *base[place + 1 :])
