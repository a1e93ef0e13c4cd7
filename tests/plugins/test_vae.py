"""The variational autoencoder: a bound with known answers, networks of any size, and runs."""

import json
import math
import pkgutil

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence

from genframe.errors import ConfigError, DataError
from genframe.interfaces import Trained
from genframe.randomness import derive_key, normal
from genframe.rundir.checkpoint import complete_checkpoints
from genframe.shapes import Field, Problem
from genframe_conditioning import genframe_conditionings
from genframe_noise import NoiseSettings, UniformSettings
from genframe_noise.laws import Gaussian, Uniform
from genframe_vae import BoundSettings, ConvolutionSettings, CountSettings
from genframe_vae.bound import Autoencoder, VariationalBayes, divergence
from genframe_vae.looks import HeldoutBound, Reconstructions
from genframe_vae.networks import Convolutions

SCHEMES = {spec.name: spec for spec in genframe_conditionings()}
PAPER = BoundSettings()
LABEL = Field(kind="class", classes=("a", "b", "c"))
QUICK = (
    "--device",
    "cpu",
    "--set",
    "architecture.width=4",
    "--set",
    "architecture.hidden=8",
    "--set",
    "noise.dim=3",
    "--set",
    "metrics=[]",
)


class Affine(nn.Module):
    """``weight x + bias`` over flat numbers, as one of the two networks."""

    def __init__(self, weight, bias, shape):
        super().__init__()
        self.weight, self.bias, self.shape = weight, bias, shape

    def forward(self, x, condition):
        return (x.flatten(1) @ self.weight.T + self.bias).view(-1, *self.shape)


def affine_autoencoder(pixels, codes, settings=PAPER, encoder=None, decoder=None):
    encoder = encoder or Affine(torch.zeros(2 * codes, pixels), torch.zeros(2 * codes), (2 * codes,))
    decoder = decoder or Affine(torch.zeros(pixels, codes), torch.zeros(pixels), (1, 1, pixels))
    return Autoencoder({"encoder": encoder, "decoder": decoder}, settings)


def networks(shape=(1, 8, 8), noise=(5,), scheme="none", width=4):
    spec = SCHEMES[scheme]
    problem = Problem(
        output=Field(kind="image", shape=shape), condition={"label": LABEL} if spec.carries else {}, noise_shape=noise
    )
    conditioning = pkgutil.resolve_name(spec.factory)(spec.settings(), problem)
    built = Convolutions(ConvolutionSettings(width=width, hidden=8)).build(problem, conditioning)
    if spec.carries:
        conditioning.complete(built)
    return built


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# the bound


def test_the_divergence_is_torchs():
    mean, log_variance = draws(7, 4), draws(7, 4, seed=1)
    theirs = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(divergence(mean, log_variance), theirs, rtol=1e-5)
    assert divergence(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0.0, 0.0]


def test_networks_that_say_nothing_leave_a_bit_a_pixel():
    images = draws(5, 1, 1, 12).clamp(-1, 1)
    reconstruction, regularity = affine_autoencoder(12, 3).bound(images, {}, draws(5, 3))
    assert torch.allclose(reconstruction, torch.full((5,), -12 * math.log(2)))
    assert regularity.tolist() == [0.0] * 5


def test_the_likelihoods_are_torchs():
    images, noise = draws(4, 1, 1, 6).clamp(-1, 1), draws(4, 2)
    pixels = Affine(draws(6, 2), draws(6), (1, 1, 6))
    logits = pixels(noise, {})
    bernoulli, _ = affine_autoencoder(6, 2, decoder=pixels).bound(images, {}, noise)
    theirs = Bernoulli(logits=logits, validate_args=False).log_prob((images + 1) / 2).flatten(1).sum(1)
    assert torch.allclose(bernoulli, theirs, rtol=1e-5)
    settings = BoundSettings(likelihood="gaussian", deviation=0.2)
    gaussian, _ = affine_autoencoder(6, 2, settings, decoder=pixels).bound(images, {}, noise)
    theirs = Normal(2 * logits.sigmoid() - 1, 0.2).log_prob(images).flatten(1).sum(1)
    assert torch.allclose(gaussian, theirs, rtol=1e-5)


def test_extreme_logits_keep_the_bound_finite():
    decoder = Affine(torch.zeros(2, 1), torch.tensor([1e4, -1e4]), (1, 1, 2))
    reconstruction, _ = affine_autoencoder(2, 1, decoder=decoder).bound(torch.tensor([[[[1.0, 1.0]]]]), {}, draws(1, 1))
    assert reconstruction.item() == pytest.approx(-1e4)


class Line(nn.Module):
    """A decoder whose mean picture is ``weight z``: the inverse of the tanh comes before it."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, noise, condition):
        return 2.0 * torch.atanh(noise @ self.weight.T)[:, None, None]


def test_the_bound_of_a_linear_gaussian_model_reaches_its_likelihood_and_never_more():
    """Orthogonal columns W make the posterior's coordinates independent: N(W'x / (w + s), s / (w + s)), s = sigma^2."""
    sigma, count = 0.3, 20_000
    weight = torch.linalg.qr(draws(5, 2))[0] * torch.tensor([0.15, 0.08])
    squares = weight.square().sum(0)
    x = (weight @ draws(2, 1) + sigma * draws(5, 1, seed=1))[:, 0].clamp(-1, 1)
    exact = MultivariateNormal(torch.zeros(5), weight @ weight.T + sigma**2 * torch.eye(5)).log_prob(x).item()
    slope, log_variance = weight.T / (squares + sigma**2)[:, None], (sigma**2 / (squares + sigma**2)).log()
    images, noise = x.expand(count, 1, 1, 5), draws(count, 2, seed=2)

    def bound(offset):
        best = Affine(torch.cat((slope, torch.zeros(2, 5))), torch.cat((offset, log_variance)), (4,))
        settings = BoundSettings(likelihood="gaussian", deviation=sigma)
        autoencoder = affine_autoencoder(5, 2, settings, encoder=best, decoder=Line(weight))
        reconstruction, regularity = autoencoder.bound(images, {}, noise)
        return (reconstruction - regularity).double().mean().item()

    assert bound(torch.zeros(2)) == pytest.approx(exact, abs=0.02)
    assert bound(torch.tensor([0.5, 0.0])) < exact - 0.1


# the networks


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (1, 9, 13), (1, 28, 28), (3, 33, 17), (1, 15, 64)])
@pytest.mark.parametrize("noise", [(5,), (2, 3)])
def test_pictures_of_any_size_pass_through(shape, noise):
    built = networks(shape, noise)
    autoencoder = Autoencoder(built, PAPER)
    images = draws(4, *shape).clamp(-1, 1)
    mean, log_variance = autoencoder.posterior(images, {})
    assert mean.shape == log_variance.shape == (4, math.prod(noise))
    output = autoencoder(draws(4, *noise), {})
    assert output.shape == images.shape
    assert output.abs().max() <= 1
    reconstruction, regularity = autoencoder.bound(images, {}, draws(4, math.prod(noise)))
    assert reconstruction.shape == regularity.shape == (4,)


@pytest.mark.parametrize("scheme", [name for name, spec in SCHEMES.items() if spec.carries])
def test_labels_come_into_both_networks_by_every_scheme(scheme):
    built = networks(scheme=scheme)
    with torch.no_grad():
        for parameter in built["encoder"].parameters():
            parameter.add_(0.1 * draws(*parameter.shape))
        for parameter in built["decoder"].parameters():
            parameter.add_(0.1 * draws(*parameter.shape))
    autoencoder = Autoencoder({role: network.eval() for role, network in built.items()}, PAPER)
    images, noise = draws(1, 1, 8, 8).expand(2, -1, -1, -1), draws(1, 5).expand(2, -1)
    labels = {"label": torch.tensor([0, 2])}
    pictures, (means, _) = autoencoder(noise, labels), autoencoder.posterior(images, labels)
    assert not torch.allclose(pictures[0], pictures[1])
    assert not torch.allclose(means[0], means[1])


@pytest.mark.parametrize("autocast", [False, True])
def test_the_bound_is_float32_and_every_weight_learns_from_it(autocast):
    built = networks(scheme="concat")
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        terms = Autoencoder(built, PAPER).bound(
            draws(6, 1, 8, 8).clamp(-1, 1), {"label": torch.arange(6) % 3}, draws(6, 5)
        )
    assert {term.dtype for term in terms} == {torch.float32}
    (terms[1] - terms[0]).sum().backward()
    assert all(p.grad is not None and p.grad.any() for network in built.values() for p in network.parameters())


# what does not fit


@pytest.mark.parametrize(
    ("output", "condition", "noise"),
    [
        (Field(kind="points", shape=(2,)), {}, (5,)),
        (Field(kind="image", shape=(1, 7, 20)), {}, (5,)),
        (Field(kind="image", shape=(1, 8, 8)), {"map": Field(kind="image", shape=(1, 8, 8))}, (5,)),
        (Field(kind="image", shape=(1, 8, 8)), {}, None),
    ],
)
def test_problems_that_the_networks_cannot_serve_are_refused(output, condition, noise):
    with pytest.raises(ConfigError, match="makes images of at least 8x8 from noise and labels, and got"):
        Convolutions(ConvolutionSettings()).build(Problem(output=output, condition=condition, noise_shape=noise), None)


def algorithm(noise):
    return VariationalBayes(BoundSettings(), {"noise": noise})


@pytest.mark.parametrize("dim", [1, 16])
def test_a_prior_that_is_not_standard_normal_is_refused(dim):
    fields, root = {"image": Field(kind="image", shape=(1, 8, 8)), "label": LABEL}, 3**0.5
    problem = algorithm(Gaussian(NoiseSettings(dim=dim))).problem(fields)
    assert (list(problem.condition), problem.noise_shape) == (["label"], (dim,))
    for law in (Uniform(UniformSettings(dim=dim)), Uniform(UniformSettings(dim=dim, low=-root, high=root))):
        with pytest.raises(ConfigError, match="take --noise gaussian"):
            algorithm(law).problem(fields)


@pytest.mark.parametrize("second", [{}, {"image": Field(kind="points", shape=(2,))}])
def test_data_without_exactly_one_picture_is_refused(second):
    fields = {"image": Field(kind="image", shape=(1, 8, 8)), "map": Field(kind="image", shape=(1, 8, 8))}
    fields = second or fields
    with pytest.raises(ConfigError, match="learns one picture a sample"):
        algorithm(Gaussian(NoiseSettings())).problem(fields)


@pytest.mark.parametrize(
    ("make", "settings", "sentence"),
    [
        (BoundSettings, {"deviation": 0}, "deviation = 0"),
        (BoundSettings, {"beta": -1}, "beta = -1"),
        (BoundSettings, {"learning_rate": 1}, "learning_rate = 1"),
        (ConvolutionSettings, {"width": 0}, "width = 0 and hidden = 256 and needs at least 1"),
        (ConvolutionSettings, {"hidden": 0}, "hidden = 0 and needs at least 1"),
        (CountSettings, {"count": 0}, "count = 0, and at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(make, settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make(**settings)


# runs


def run(cli, folder, *words):
    result = cli("run", "--plugin", "cvae", "--output-dir", folder, *words)
    assert result.code == 0, result.err
    return [json.loads(row) for row in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_training_raises_the_bound(cli, tmp_path, likelihood):
    words = ("--steps", 60, "--log-every", 1, "--set", f"algorithm.likelihood={likelihood}")
    rows = run(cli, tmp_path / "run", *QUICK, *words)
    first, last = (sum(row["elbo"] for row in some) / 5 for some in (rows[:5], rows[-5:]))
    assert last > first + 5
    for row in rows:
        assert row["elbo"] == pytest.approx(-row["reconstruction_loss"] - row["divergence"], abs=1e-3)
        assert row["loss"] == pytest.approx(-row["elbo"], abs=1e-3)


def test_a_resumed_run_has_the_bytes_of_one_that_never_stopped(cli, tmp_path):
    for name, steps in (("whole", 5), ("part", 3)):
        run(cli, tmp_path / name, *QUICK, "--steps", steps, "--log-every", 1)
    assert cli("run", "--resume", "--output-dir", tmp_path / "part", "--steps", 5).code == 0
    for name in ("metrics.jsonl", "samples/final.png"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    last = [complete_checkpoints(tmp_path / name / "checkpoints")[-1] for name in ("whole", "part")]
    for file in last[0].glob("*.safetensors"):
        assert file.read_bytes() == (last[1] / file.name).read_bytes()


def test_a_run_is_measured_and_looked_at_the_same_in_training_and_from_its_checkpoint(cli, tmp_path):
    words = ("--steps", 4, "--metric", "elbo", "--set", "algorithm.beta=3")
    run(cli, tmp_path / "run", *QUICK[:-2], *words)
    measured = json.loads((tmp_path / "run/run.json").read_text())["metrics"]["elbo"]
    assert measured["protocol"] == {
        "queries": 297,
        "draws": 10,
        "seed": 0,
        "unit": "nats per picture",
        "likelihood": "bernoulli, grey pixels of [0, 1] as probabilities: no density",
    }
    again = cli("evaluate", tmp_path / "run", "--metric", "elbo")
    assert f"{measured['value']:.4g}" in again.out + again.err
    shown = cli("visualize", tmp_path / "run", "reconstructions", "--output", tmp_path / "out.png")
    assert (shown.code, (tmp_path / "out.png").is_file()) == (0, True)


class Heldout:
    """A view of an affine autoencoder and 600 held-out pictures, more than are read at once."""

    problem = Problem(output=Field(kind="image", shape=(1, 1, 6)), noise_shape=(2,))
    fields = {"image": problem.output}
    title, seed, count = "affine", 5, 600

    def __init__(self, settings=PAPER):
        encoder = Affine(0.3 * draws(4, 6), draws(4, seed=1), (4,))
        decoder = Affine(draws(6, 2, seed=2), draws(6, seed=3), (1, 1, 6))
        decoder.register_parameter("device", nn.Parameter(torch.zeros(1)))
        self.autoencoder = affine_autoencoder(6, 2, settings, encoder, decoder)
        self.trained = Trained(
            problem=self.problem,
            generator=self.autoencoder,
            networks={"encoder": encoder, "decoder": decoder},
            noise=None,
        )

    def dataset(self):
        return self

    def split(self, part):
        assert part == "heldout"
        return self

    def __len__(self):
        return self.count

    def read(self, indices, *, epoch, seed):
        pixels = torch.arange(self.count * 6).view(self.count, 1, 1, 6) * 37 % 256
        return {"image": pixels[list(indices)].to(torch.uint8)}


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_metric_is_the_mean_bound_of_all_held_out_pictures(likelihood):
    view = Heldout(BoundSettings(likelihood=likelihood, beta=7.0))
    images = view.read(range(600), epoch=0, seed=0)["image"].float() / 127.5 - 1
    keys = [derive_key(view.seed, "elbo", draw) for draw in range(3)]
    terms = [view.autoencoder.bound(images, {}, normal(torch.arange(600), (2,), key)) for key in keys]
    reference = torch.stack([reconstruction - regularity for reconstruction, regularity in terms]).double().mean()
    measured = HeldoutBound(CountSettings(count=3)).measure(view)
    assert measured.value == pytest.approx(reference.item(), rel=1e-6)
    assert measured.protocol["queries"] == 600
    assert likelihood in measured.protocol["likelihood"]


@pytest.mark.parametrize("look", [HeldoutBound(CountSettings()).measure, Reconstructions(CountSettings()).draw])
def test_other_runs_and_other_data_are_refused(look, pool_view):
    with pytest.raises(ConfigError, match="needs an encoder and a decoder"):
        look(pool_view(problem=Heldout.problem, pool=torch.zeros(1, 1, 1, 6)))
    view = Heldout()
    view.count = 0
    with pytest.raises(DataError, match="nothing of the dataset is held out"):
        look(view)
    view.fields = {"image": Field(kind="image", shape=(1, 2, 2))}
    with pytest.raises(DataError, match="not like that of the run"):
        look(view)
