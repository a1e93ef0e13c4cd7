"""The published systems that genframe grew from, as recipes: networks, initial weights and schedules as their code has.

What differs on purpose, in all of them: data is shuffled anew each epoch, the test part is never trained on, and
samples use BatchNorm's running statistics (``genframe sample --batch-stats`` uses the batch's, as those codes do).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import genframe
from genframe.specs import Choice, RecipeSpec

_METRICS = (Choice(name="nn1"), Choice(name="label-accuracy"))


def _recipe(
    name: str,
    summary: str,
    *,
    algorithm: dict[str, Any],
    architecture: Choice,
    conditioning: Choice,
    data: Choice,
    noise: Choice,
    training: dict[str, Any],
) -> RecipeSpec:
    """A game with the non-saturating loss, without an average of the weights, measured where there are labels."""
    return RecipeSpec(
        name=name,
        summary=summary,
        algorithm=Choice(name="adversarial", settings=algorithm),
        architecture=architecture,
        conditioning=conditioning,
        data=data,
        slots={"noise": noise, "objective": Choice(name="non-saturating")},
        training={"ema": 0.0} | training,
        metrics=_METRICS if conditioning.name != "none" else (),
        observers=(Choice(name="health"),),
    )


@genframe.hookimpl
def genframe_recipes() -> Iterable[RecipeSpec]:
    """Six systems from 2014 to 2018."""
    yield _cgan_mirza2014()
    yield from _radford2015()
    yield from _zhang()
    yield _tutorial()


def _cgan_mirza2014() -> RecipeSpec:
    """Mirza and Osindero, "Conditional generative adversarial nets", section 4.1.

    The rate is 0.1 / 1.00004^t until it reaches 1e-6, which takes 287,829 steps; momentum grows from 0.5 to 0.7.
    """
    return _recipe(
        "cgan-mirza2014",
        "The first conditional GAN: fully connected, maxout, dropout (Mirza and Osindero 2014)",
        algorithm={"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.5},
        architecture=Choice(name="maxout-mlp"),
        conditioning=Choice(name="hidden"),
        data=Choice(name="mnist"),
        noise=Choice(name="uniform", settings={"dim": 100, "low": 0.0, "high": 1.0}),
        training={
            "batch_size": 100,
            "steps": 287_829,
            "lr_schedule": {"shape": "exponential", "to": 1e-5},
            "momentum_schedule": {"shape": "linear", "to": 1.4},
            "log_every": 500,
            "sample_every": 12_000,
            "checkpoint_every": 12_000,
        },
    )


def _radford2015() -> Iterable[RecipeSpec]:
    """Radford, Metz and Chintala's code, Newmu/dcgan_code: ``mnist/train_cond_dcgan.py``, ``faces/``.

    On MNIST 200 epochs of 391 batches each; the rate is constant for 101 of them, then falls by a hundredth an epoch.
    Each batch updates one network, the generator first. There, Adam's beta1 also shrinks by a factor of 1 - 1e-8 a
    step, to 0.49980 at the end, which is left out.
    """
    yield _recipe(
        "cdcgan-radford2015",
        "The conditional DCGAN on MNIST of the DCGAN paper's code (Radford et al. 2015)",
        algorithm={"l2": 2.5e-5, "updates": ("generator", "critic"), "one_update_per_batch": True},
        architecture=Choice(
            name="dcgan",
            settings={
                "generator_channels": (64, 128),
                "critic_channels": (64, 128),
                "kernel": 5,
                "projection": "linear",
                "hidden": 1024,
                "bias": "none",
                "affine": False,
                "eps": 1e-8,
                "pixels": "unit",
            },
        ),
        conditioning=Choice(name="concat"),
        data=Choice(name="mnist"),
        noise=Choice(name="uniform", settings={"dim": 100}),
        training={
            "batch_size": 128,
            "steps": 78_200,
            "lr_schedule": {"shape": "linear", "begin": 0.5, "every": 391},
            "sample_every": 1955,
            "checkpoint_every": 1955,
        },
    )
    yield _recipe(
        "dcgan-radford2015",
        "The 64x64 DCGAN of the paper's code, 1024-512-256-128 channels (Radford et al. 2015)",
        algorithm={"l2": 1e-5, "updates": ("generator", "critic"), "one_update_per_batch": True},
        architecture=Choice(
            name="dcgan",
            settings={"width": 128, "depth": 4, "kernel": 5, "projection": "linear", "bias": "none", "eps": 1e-8},
        ),
        conditioning=Choice(name="none"),
        data=Choice(name="emoticons", settings={"image_size": 64}),
        noise=Choice(name="uniform", settings={"dim": 100}),
        training={"batch_size": 128, "epochs": 25},
    )


def _zhang() -> Iterable[RecipeSpec]:
    """zhangqianhui/Conditional-Gans, the article's code, at its newest version and at the article's date."""
    networks = {
        "generator_channels": (128, 128),
        "critic_channels": (10, 64),
        "padding": "same",
        "projection": "linear",
        "hidden": 1024,
        "bias": "all",
        "pixels": "unit",
        "gain_deviation": 0.0,
    }
    yield _recipe(
        "cdcgan-zhang2018",
        "The conditional DCGAN of the article's code at its newest version (Zhang 2018)",
        algorithm={"same_noise": True},
        architecture=Choice(name="dcgan", settings=networks | {"kernel": 3, "initialisation": "he"}),
        conditioning=Choice(name="concat"),
        data=Choice(name="mnist"),
        noise=Choice(name="uniform", settings={"dim": 100}),
        training={"batch_size": 64, "steps": 10_001},
    )
    yield _recipe(
        "cdcgan-zhang2016",
        "The conditional DCGAN of the article's code at the article's date (Zhang 2016)",
        algorithm={"updates": ("critic", "generator", "generator"), "same_noise": True},
        architecture=Choice(name="dcgan", settings=networks | {"kernel": 5}),
        conditioning=Choice(name="concat", settings={"layers": "entry"}),
        data=Choice(name="mnist"),
        noise=Choice(name="uniform", settings={"dim": 100}),
        training={"batch_size": 64, "epochs": 6},
    )


def _tutorial() -> RecipeSpec:
    """PyTorch's DCGAN example, pytorch/examples/dcgan, which follows soumith/dcgan.torch."""
    return _recipe(
        "dcgan-tutorial",
        "The 64x64 DCGAN of PyTorch's example, ngf = ndf = 64",
        algorithm={},
        architecture=Choice(name="dcgan", settings={"width": 64, "depth": 4, "bias": "none"}),
        conditioning=Choice(name="none"),
        data=Choice(name="emoticons", settings={"image_size": 64}),
        noise=Choice(name="gaussian", settings={"dim": 100}),
        training={"batch_size": 64, "epochs": 25},
    )
