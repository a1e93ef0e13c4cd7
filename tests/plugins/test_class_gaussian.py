"""Class-conditional Gaussians: what SciPy, NumPy and scikit-learn find in the same data."""

import copy
import json

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import GaussianNB

from genframe.errors import ConfigError, DataError
from genframe.interfaces import Trained
from genframe.rundir.checkpoint import complete_checkpoints
from genframe.shapes import Field, Problem
from genframe.specs import NoSettings
from genframe_class_gaussian import GaussianSettings
from genframe_class_gaussian.fit import ClassGaussian
from genframe_class_gaussian.gaussians import Architecture
from genframe_class_gaussian.metrics import BayesError, LogLikelihood
from genframe_noise import NoiseSettings, UniformSettings
from genframe_noise.laws import Gaussian, Uniform

COVARIANCES = ["full", "shared", "diagonal"]
SHAPE, CLASSES = (1, 2, 3), ("a", "b", "c")
LABEL = Field(kind="class", classes=CLASSES)


def make(covariance="full", *, ridge=1e-2, noise=(6,), kind="image", labelled=True):
    output = Field(kind="points", shape=(6,)) if kind == "points" else Field(kind="image", shape=SHAPE)
    problem = Problem(output=output, condition={"label": LABEL} if labelled else {}, noise_shape=noise)
    return Architecture(GaussianSettings(covariance=covariance, ridge=ridge)).build(problem, None)["density"]


def data(count=200, seed=0):
    """Correlated numbers around a centre for each class; the classes are of unequal size."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, count, p=[0.5, 0.3, 0.2])
    rows = rng.normal(size=(count, 6)) @ rng.normal(0, 0.2, (6, 6)) + rng.normal(0, 0.3, (3, 6))[labels]
    return torch.from_numpy(rows).float().clamp(-1, 1).view(count, *SHAPE), torch.from_numpy(labels)


def fitted(covariance="full", **changes):
    density, (images, labels) = make(covariance, **changes), data()
    density.add(images, {"label": labels})
    return density


def expected(covariance, ridge):
    """Means and full covariances, one a class, by NumPy."""
    images, labels = data()
    rows, labels = images.flatten(1).double().numpy(), labels.numpy()
    means = np.stack([rows[labels == k].mean(0) for k in range(3)])
    covariances = np.stack([np.cov(rows[labels == k].T, bias=True) for k in range(3)])
    if covariance == "shared":
        covariances[:] = (covariances * np.bincount(labels)[:, None, None]).sum(0) / len(labels)
    if covariance == "diagonal":
        covariances *= np.eye(6)
    return means, covariances + ridge * np.eye(6)


# the fit


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_moments_are_numpys(covariance):
    means, covariances = fitted(covariance).moments()
    expected_means, expected_covariances = expected(covariance, 1e-2)
    assert np.allclose(means, expected_means, atol=1e-12)
    ours = torch.diag_embed(covariances) if covariance == "diagonal" else covariances.expand(3, 6, 6)
    assert np.allclose(ours, expected_covariances, atol=1e-12)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_it_does_not_matter_how_the_data_is_cut_into_batches(covariance):
    whole, parts, (images, labels) = fitted(covariance), make(covariance), data()
    for some in torch.randperm(200, generator=torch.Generator().manual_seed(0)).split(33):
        parts.add(images[some], {"label": labels[some]})
    assert parts.counts.sum() == 200
    for one, other in zip(whole.moments(), parts.moments(), strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


def test_a_second_pass_changes_nothing_but_the_counts():
    once, twice, (images, labels) = fitted(), fitted(), data()
    twice.add(images, {"label": labels})
    assert torch.equal(twice.counts, 2 * once.counts)
    assert torch.allclose(once.moments()[1], twice.moments()[1], atol=1e-14)


def test_without_classes_it_is_one_gaussian():
    density, (images, _) = make(labelled=False, noise=(2, 3)), data()
    density.add(images, {})
    rows = images.flatten(1).double().numpy()
    assert np.allclose(density.moments()[1][0], np.cov(rows.T, bias=True) + 0.01 * np.eye(6), atol=1e-12)
    assert density.log_likelihood(images).shape == (200, 1)
    assert density(torch.zeros(4, 2, 3), {}).shape == (4, *SHAPE)


# the density


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("ridge", [1e-6, 1e-2, 1.0])
def test_the_log_likelihood_is_scipys(covariance, ridge):
    images = data(300, seed=1)[0]  # more than one chunk
    means, covariances = expected(covariance, ridge)
    rows = images.flatten(1).double().numpy()
    theirs = np.stack([multivariate_normal(*one).logpdf(rows) for one in zip(means, covariances, strict=True)], axis=1)
    ours = fitted(covariance, ridge=ridge).log_likelihood(images)
    assert ours.dtype == torch.float64
    assert np.allclose(ours, theirs, rtol=1e-8)


@pytest.mark.parametrize(
    ("covariance", "reference"),
    [("shared", LinearDiscriminantAnalysis(solver="lsqr")), ("diagonal", GaussianNB(var_smoothing=0.0))],
)
def test_the_posterior_is_scikit_learns(covariance, reference):
    (images, labels), asked = data(), data(50, seed=2)[0]
    theirs = reference.fit(images.flatten(1).double().numpy(), labels.numpy())
    ours = fitted(covariance, ridge=1e-9).posterior(asked)
    assert np.allclose(ours, theirs.predict_proba(asked.flatten(1).double().numpy()), atol=1e-5)


def test_the_posterior_stays_a_number_where_every_density_underflows():
    posterior = fitted().posterior(torch.full((2, *SHAPE), 1e4))
    assert torch.allclose(posterior.sum(1), torch.ones(2, dtype=torch.float64))


def test_a_class_without_samples_is_never_found_and_breaks_nothing():
    density, (images, labels) = make(), data()
    density.add(images[labels < 2], {"label": labels[labels < 2]})
    assert (density.posterior(images)[:, 2] == 0).all()
    assert density.posterior(images).isfinite().all()
    assert density(torch.zeros(1, 6), {"label": torch.tensor([2])}).eq(0).all()


# samples


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("noise", [(6,), (9,), (2, 5)])
def test_samples_have_the_moments_of_their_class(covariance, noise):
    density = fitted(covariance, noise=noise, kind="points")
    z = torch.randn(20_000, *noise, generator=torch.Generator().manual_seed(0))
    for k, (mean, matrix) in enumerate(zip(*expected(covariance, 1e-2), strict=True)):
        samples = density(z, {"label": torch.full((len(z),), k)}).double().numpy()
        assert np.allclose(samples.mean(0), mean, atol=0.02)
        assert np.allclose(np.cov(samples.T), matrix, atol=0.02)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_fewer_numbers_than_pixels_give_the_best_covariance_of_that_rank(covariance):
    density = fitted(covariance, noise=(2,), kind="points")
    label = {"label": torch.tensor([1])}
    mean = density(torch.zeros(1, 2), label)
    factor = torch.stack([density(z[None], label)[0] - mean[0] for z in torch.eye(2)], dim=1).double()
    values, vectors = np.linalg.eigh(expected(covariance, 1e-2)[1][1])
    best = (vectors[:, -2:] * values[-2:]) @ vectors[:, -2:].T
    assert np.allclose(factor @ factor.T, best, atol=1e-5)
    assert "rank 2" in repr(density)


def test_each_sample_is_of_the_class_that_was_asked_for_and_within_the_range_of_pixels():
    density, z = fitted(), 10 * torch.randn(6, 6, generator=torch.Generator().manual_seed(3))
    labels = torch.tensor([0, 1, 2, 2, 1, 0])
    together = density(z, {"label": labels})
    assert together.dtype == torch.float32
    assert together.abs().max() == 1.0
    for place in range(6):
        alone = density(z[place : place + 1], {"label": labels[place : place + 1]})
        assert torch.allclose(alone[0], together[place], atol=1e-6)


def test_samples_follow_the_sums_however_these_change():
    label, z = {"label": torch.tensor([0])}, torch.ones(1, 6)
    density, other = fitted(), make()
    images, labels = data(seed=4)
    for samples in (density, other):
        samples.add(images, {"label": labels})
    assert not torch.equal(density(z, label), other(z, label))
    copied = copy.deepcopy(density)
    with torch.no_grad():
        torch._foreach_copy_(list(copied.buffers()), list(other.buffers()))
    assert torch.equal(copied(z, label), other(z, label))
    density.load_state_dict(other.state_dict())
    assert torch.equal(density(z, label), other(z, label))
    before = density(z, label)
    density.add(images, {"label": (labels + 1) % 3})
    assert not torch.equal(density(z, label), before)


@pytest.mark.parametrize("labelled", [True, False])
def test_samples_are_differentiable_in_the_noise_whatever_was_sampled_before(labelled):
    density, z, (images, labels) = make(kind="points", labelled=labelled), torch.zeros(1, 6, requires_grad=True), data()
    density.add(images, {"label": labels})
    with torch.inference_mode():
        density(z, {"label": torch.tensor([0])})
    density(z, {"label": torch.tensor([0])}).sum().backward()
    assert np.allclose(z.grad[0], torch.linalg.cholesky(density.moments()[1])[0].sum(0), atol=1e-5)


# what does not fit


@pytest.mark.parametrize(
    "fields",
    [
        {"image": Field(kind="image", shape=SHAPE), "tags": Field(kind="multilabel", shape=(2,), classes=("x", "y"))},
        {"image": Field(kind="image", shape=SHAPE), "pose": Field(kind="vector", shape=(2,))},
        {"image": Field(kind="image", shape=SHAPE), "label": LABEL, "style": LABEL},
        {"image": Field(kind="image", shape=SHAPE), "map": Field(kind="image", shape=SHAPE)},
    ],
)
def test_other_conditions_are_refused_in_a_sentence(fields):
    with pytest.raises(
        ConfigError, match=f"for each class of another if there is one, and got image .*{list(fields)[-1]}"
    ):
        ClassGaussian(NoSettings(), {"noise": Gaussian(NoiseSettings())}).problem(fields)


@pytest.mark.parametrize("dim", [1, 100, 784])
def test_noise_that_is_not_standard_normal_is_refused(dim):
    fields, root = {"image": Field(kind="image", shape=SHAPE)}, 3**0.5
    ClassGaussian(NoSettings(), {"noise": Gaussian(NoiseSettings(dim=dim))}).problem(fields)
    for law in (Uniform(UniformSettings(dim=dim)), Uniform(UniformSettings(dim=dim, low=-root, high=root))):
        with pytest.raises(ConfigError, match="take --noise gaussian"):
            ClassGaussian(NoSettings(), {"noise": law}).problem(fields)


def test_settings_and_sizes_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="got ridge = 0"):
        GaussianSettings(ridge=0)
    with pytest.raises(ConfigError, match="got no noise"):
        make(noise=None)
    huge = Problem(output=Field(kind="image", shape=(3, 1024, 1024)), noise_shape=(8,))
    with pytest.raises(ConfigError, match=r"GiB, more than half .*covariance=diagonal"):
        Architecture(GaussianSettings()).build(huge, None)


# a run


def run(cli, folder, *words):
    result = cli("run", "--plugin", "class-gaussian", "--device", "cpu", "--output-dir", folder, *words)
    assert result.code == 0, result.err
    return json.loads((folder / "run.json").read_text())["metrics"]


def test_one_pass_over_the_digits_takes_all_of_them(cli, tmp_path):
    metrics = run(cli, tmp_path / "run", "--metric", "bayes-error", "--metric", "log-likelihood")
    rows = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["samples"] == 1500
    assert metrics["bayes-error"]["value"] == pytest.approx(2 / 297)
    assert metrics["log-likelihood"]["value"] == pytest.approx(16.2069, abs=1e-3)
    assert metrics["log-likelihood"]["protocol"] == {
        "queries": 297,
        "fitted_to": 1500,
        "covariance": "full",
        "ridge": 0.01,
        "unit": "nats per sample",
        "pixels": "[-1, 1], not dequantised",
    }
    evaluated = cli("evaluate", tmp_path / "run", "--metric", "bayes-error")
    assert (evaluated.code, "0.67%" in evaluated.out + evaluated.err) == (0, True)


def test_a_batch_that_is_left_over_is_not_counted(cli, tmp_path):
    metrics = run(cli, tmp_path / "run", "--batch-size", 400, "--metric", "bayes-error")
    assert metrics["bayes-error"]["protocol"]["fitted_to"] == 1200


def test_a_resumed_fit_has_the_bytes_of_one_that_never_stopped(cli, tmp_path):
    for name, steps in (("whole", 3), ("part", 2)):
        run(cli, tmp_path / name, "--steps", steps, "--log-every", 1, "--set", "metrics=[]")
    assert cli("run", "--resume", "--output-dir", tmp_path / "part", "--steps", 3).code == 0
    for name in ("metrics.jsonl", "samples/final.png"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    last = [complete_checkpoints(tmp_path / name / "checkpoints")[-1] for name in ("whole", "part")]
    for file in last[0].glob("*.safetensors"):
        assert file.read_bytes() == (last[1] / file.name).read_bytes()


def test_without_labels_there_is_a_likelihood_and_no_classifier(cli, tmp_path):
    words = ("--conditioning", "none", "--metric", "bayes-error", "--metric", "log-likelihood")
    metrics = run(cli, tmp_path / "run", *words)
    assert metrics["log-likelihood"]["value"] < 16
    assert "this run knows none" in metrics["bayes-error"]["skipped"]


def test_the_dry_run_says_what_samples_will_lack(cli):
    result = cli("run", "--plugin", "class-gaussian", "--dry-run", "--set", "noise.dim=20")
    assert "10 x 64, covariance=full, samples of rank 20" in result.out
    result = cli("run", "--plugin", "class-gaussian", "--dry-run", "--architecture", "dcgan")
    assert (result.code, "'density'" in result.err) == (2, True)


@pytest.mark.parametrize("metric", [LogLikelihood(NoSettings()), BayesError(NoSettings())])
def test_the_metrics_refuse_other_runs_and_other_data(metric, pool_view):
    problem = Problem(output=Field(kind="image", shape=SHAPE), condition={"label": LABEL}, noise_shape=(6,))
    with pytest.raises(ConfigError, match="this run fits none"):
        metric.measure(pool_view(problem=problem, pool=torch.zeros(1, *SHAPE)))

    class Part:
        fields = {"image": Field(kind="image", shape=SHAPE), "label": LABEL}
        trained = Trained(problem=problem, generator=None, networks={"density": fitted()}, noise=None)

        def dataset(self):
            return self

        def split(self, part):
            return self

        def __len__(self):
            return 0

    with pytest.raises(DataError, match="nothing of the dataset is held out"):
        metric.measure(Part())
    Part.fields = {"image": Field(kind="image", shape=(1, 3, 3)), "label": LABEL}
    with pytest.raises(DataError, match="not like that of the run"):
        metric.measure(Part())
