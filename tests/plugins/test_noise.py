"""Noise samplers: their laws, and each z a function of its own index."""

import dataclasses
import math
import pkgutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_info

from genframe.build import build_part
from genframe.errors import ConfigError
from genframe.interfaces import Critique, Samples, Truncatable
from genframe.registry import load_registry
from genframe.shapes import Field, Problem
from genframe.specs import Choice
from genframe_noise import fitted, genframe_noise_samplers

SPECS = {spec.name: spec for spec in genframe_noise_samplers()}
WRITTEN = [name for name in SPECS if name != "fitted"]


def make(name: str, **settings):
    spec = SPECS[name]
    return pkgutil.resolve_name(spec.factory)(spec.settings(**settings))


def numbers(sampler, count: int = 2000) -> np.ndarray:
    return sampler.draw(torch.arange(count), 1).double().numpy()


def test_the_plugin_offers_these_laws():
    assert set(SPECS) == {"uniform", "gaussian", "truncated", "spherical", "mixture", "fitted"}


@pytest.mark.parametrize("name", WRITTEN)
def test_the_default_is_the_papers_hundred_numbers(name):
    assert make(name).shape == (100,)
    assert make(name).draw(torch.arange(3), 0).shape == (3, 100)


@pytest.mark.parametrize("dim", [1, 7])
@pytest.mark.parametrize("name", WRITTEN)
def test_a_sample_depends_on_its_key_and_index_alone(name, dim):
    sampler = make(name, dim=dim)
    together = sampler.draw(torch.arange(50), 9)
    assert together.dtype == torch.float32
    assert together.isfinite().all()
    assert torch.equal(sampler.draw(torch.tensor([41, 3]), 9), together[[41, 3]])
    assert torch.equal(sampler.draw(torch.arange(50), torch.tensor(9)), together)
    assert not torch.isclose(sampler.draw(torch.arange(50), 10), together).all(dim=1).all()


def test_uniform_noise_fills_the_interval_from_minus_one_to_one():
    z = make("uniform").draw(torch.arange(2000), 1).double()
    assert -1 <= z.min() < -0.999
    assert 0.999 < z.max() < 1
    error = 4 / math.sqrt(z.numel())
    assert z.mean().item() == pytest.approx(0, abs=error)
    assert z.var().item() == pytest.approx(1 / 3, abs=error)


def test_gaussian_noise_is_standard_normal():
    z = make("gaussian").draw(torch.arange(2000), 1).double()
    error = 4 / math.sqrt(z.numel())
    assert z.mean().item() == pytest.approx(0, abs=error)
    assert z.var().item() == pytest.approx(1, abs=2 * error)
    assert (z.abs() < 1).double().mean().item() == pytest.approx(0.6827, abs=error)


@pytest.mark.parametrize("bound", [0.01, 0.7, 2.0, 5.0, 10.0])
def test_truncated_noise_has_scipys_law_and_stays_inside(bound):
    z = make("truncated", bound=bound).draw(torch.arange(1000), 3)
    assert z.isfinite().all()
    assert z.abs().max() <= bound
    law, values = stats.truncnorm(-bound, bound), z.double().flatten().numpy()
    assert stats.kstest(values, law.cdf).pvalue > 0.01
    error = 4 * law.std() / math.sqrt(values.size)
    assert values.mean() == pytest.approx(0, abs=error)
    assert values.std() == pytest.approx(law.std(), abs=error)
    assert abs(np.corrcoef(z[:, 0], z[:, 1])[0, 1]) < 0.13


def test_truncated_noise_reaches_its_bound_and_the_law_without_one_differs():
    assert numbers(make("truncated", bound=1.0)).max() > 0.9999
    assert stats.kstest(numbers(make("truncated", bound=2.0)).ravel(), "norm").pvalue < 1e-9


def test_a_truncated_law_is_that_of_the_smaller_bound():
    indices = torch.arange(20)
    expected = make("truncated", dim=5, bound=0.7).draw(indices, 4)
    for sampler in (make("gaussian", dim=5), make("truncated", dim=5, bound=2.0)):
        assert isinstance(sampler, Truncatable)
        assert torch.equal(sampler.truncated(0.7).draw(indices, 4), expected)
    narrow = make("truncated", dim=5, bound=0.7)
    assert torch.equal(narrow.truncated(2.0).draw(indices, 4), expected)
    for name in ("uniform", "spherical", "mixture", "fitted"):
        assert not isinstance(make(name), Truncatable)


@pytest.mark.parametrize("bound", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ["gaussian", "truncated"])
def test_what_is_no_bound_is_refused(name, bound):
    with pytest.raises(ConfigError, match=f"bound = {bound} and needs a number from 1e-06 to 1e"):
        make(name).truncated(bound)


@pytest.mark.parametrize("dim", [1, 2, 3, 100])
def test_spherical_noise_is_uniform_on_the_sphere(dim):
    z = numbers(make("spherical", dim=dim))
    assert np.linalg.norm(z, axis=1) == pytest.approx(math.sqrt(dim), rel=1e-6)
    assert np.abs(z.mean(0)).max() < 5 / math.sqrt(len(z))
    if dim > 1:
        # The square of a coordinate of a point of the unit sphere is a beta number.
        squares = z[:, 0] ** 2 / dim
        assert stats.kstest(squares, stats.beta(0.5, (dim - 1) / 2).cdf).pvalue > 0.01
    assert np.linalg.norm(numbers(make("spherical", dim=dim, radius=0.5)), axis=1) == pytest.approx(0.5)


def test_projection_onto_the_sphere_is_along_the_radius_and_defined_at_the_origin():
    sampler = make("spherical", dim=2, radius=2.0)
    z = torch.tensor([[3.0, 4.0], [0.0, -1e-30], [0.0, 0.0], [1e30, 1e30]], requires_grad=True)
    expected = [[1.2, 1.6], [0.0, -2.0], [2.0, 0.0], [math.sqrt(2), math.sqrt(2)]]
    assert torch.allclose(sampler.project(z), torch.tensor(expected))
    sampler.project(z)[:, 0].sum().backward()
    assert z.grad.isfinite().all()
    assert z.grad[0].tolist() == pytest.approx([2 * 0.64 / 5, -2 * 0.48 / 5])  # (1 - u u^T) radius / |z|


def test_a_mixture_has_its_components_in_equal_parts():
    sampler = make("mixture", dim=3, components=4, spread=50.0, deviation=0.5)
    z, means = torch.from_numpy(numbers(sampler)), sampler.means(torch.arange(4)).double()
    distances, components = torch.cdist(z, means).min(1)
    assert torch.bincount(components, minlength=4).double().tolist() == pytest.approx([500] * 4, abs=80)
    assert stats.kstest(distances.square() / 0.25, stats.chi2(3).cdf).pvalue > 0.01
    offsets = (z - means[components]) / 0.5
    assert stats.kstest(offsets.flatten(), "norm").pvalue > 0.01
    assert offsets[components == 2].mean(0).abs().max() < 5 / math.sqrt(500), "the component says nothing of the offset"


def test_the_means_of_a_mixture_are_a_function_of_its_settings():
    components, means = torch.arange(1000), make("mixture").means(torch.arange(1000))
    assert torch.equal(make("mixture", components=3).means(components), means)
    assert not torch.isclose(make("mixture", seed=1).means(components), means).all(1).any()
    assert means.std().item() == pytest.approx(0.8, rel=0.02)
    assert numbers(make("mixture", components=1000)).std() == pytest.approx(1.0, rel=0.02)


def test_projection_is_onto_the_support():
    z = torch.tensor([[-3.0, -1.0, 0.25, 1.0, 1.5]])
    cube = [[-1.0, -1.0, 0.25, 1.0, 1.0]]
    assert make("uniform", dim=5).project(z).tolist() == cube
    assert make("truncated", dim=5, bound=1.0).project(z).tolist() == cube
    assert torch.equal(make("gaussian", dim=5).project(z), z)
    assert torch.equal(make("mixture", dim=5).project(z), z)


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("dim", [0, -3])
def test_fewer_than_one_number_is_refused(name, dim):
    with pytest.raises(ConfigError, match=f"dim = {dim} and needs at least 1"):
        make(name, dim=dim)


@pytest.mark.parametrize(
    ("name", "setting", "values"),
    [
        ("truncated", "bound", [0.0, -2.0, math.inf]),
        ("spherical", "radius", [0.0, -1.0, math.inf]),
        ("mixture", "components", [0, 1001]),
        ("mixture", "spread", [-1.0, math.inf]),
        ("mixture", "deviation", [0.0, math.inf]),
        ("fitted", "samples", [0, 1]),
        ("fitted", "keep", [0.0, 1.5, -1.0]),
        ("fitted", "components", [0, 1001]),
        ("fitted", "seed", [-1, 2**32]),
    ],
)
def test_settings_out_of_range_are_one_sentence(name, setting, values):
    for value in values:
        with pytest.raises(ConfigError, match=f"^noise '{name}' got {setting} = {value} and needs .*, say [0-9]"):
            make(name, **{setting: value})


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (-math.inf, 1.0), (0.0, 1e300), (-3e38, 3e38)])
def test_a_range_that_is_empty_or_has_no_end_is_refused(low, high):
    with pytest.raises(ConfigError, match=r"^noise 'uniform' got the range .*low must be below high"):
        make("uniform", low=low, high=high)


def test_an_unknown_covariance_is_refused_where_settings_are_read():
    with pytest.raises(ConfigError, match=r"noise\.covariance = 'round'"):
        build_part(load_registry(), "noise", Choice(name="fitted", settings={"covariance": "round"}), "noise")


@dataclasses.dataclass
class RunLike:
    """A run whose samples are their own z, and whose critic likes a point, a different one for each class."""

    classes: int = 2
    law: str = "gaussian"
    networks: dict = dataclasses.field(default_factory=lambda: {"critic": critic})

    @property
    def trained(self):
        field = {"label": Field(kind="class", classes=tuple("abcdef"[: self.classes]))} if self.classes else {}
        problem = Problem(output=Field(kind="points", shape=(3,)), condition=field, noise_shape=(3,))
        noise = make(self.law, dim=3) if self.law else None
        return SimpleNamespace(problem=problem, networks=self.networks, noise=noise)

    def samples(self, count, *, first=0, condition=None):
        indices = torch.arange(first, first + count)
        condition = {"label": indices % self.classes} if self.classes else {}
        z = self.trained.noise.draw(indices, 5)
        return Samples(output=z, condition=condition, first=first, seed=0, noise=z)


class Critic(torch.nn.Module):
    """Two scales, of which one is of patches: less for points farther from (0, 0, 0), or (1, 1, 1), (2, 2, 2) ..."""

    def forward(self, output, condition):
        offsets = condition["label"][:, None] if condition else 0.0
        distance = (output - offsets).norm(dim=1)
        return Critique((-distance, -distance[:, None, None, None].expand(-1, 1, 2, 2)))


critic = Critic()


def fit(view, **settings):
    sampler = make("fitted", **{"samples": 400, "components": 2, **settings})
    sampler.fit(view)
    return sampler


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_the_fitted_law_is_scikit_learns_of_the_samples_that_the_critic_likes_best(covariance):
    view = RunLike(classes=0)
    z = view.samples(2000).noise
    best = z[z.norm(dim=1).argsort()[:500]].double().numpy()
    expected = GaussianMixture(2, covariance_type=covariance, reg_covar=1e-4, random_state=0).fit(best)
    drawn = fit(view, samples=2000, covariance=covariance).draw(torch.arange(20_000), 3).double().numpy()
    reference = expected.sample(20_000)[0]
    assert drawn.mean(0) == pytest.approx(reference.mean(0), abs=0.03)
    assert np.cov(drawn.T) == pytest.approx(np.cov(reference.T), abs=0.02)
    assert expected.score(drawn) == pytest.approx(expected.score(reference), abs=0.03)
    assert np.linalg.norm(drawn, axis=1).mean() < 0.8 * np.linalg.norm(z, axis=1).mean()


def test_correlations_are_fitted_too():
    class Slanted(torch.nn.Module):
        def forward(self, output, condition):
            return Critique((-(output[:, 0] - output[:, 1]).abs(),))

    sampler = fit(RunLike(networks={"critic": Slanted()}), samples=2000, keep=0.1, components=1, covariance="full")
    z = numbers(sampler, 5000)
    assert np.corrcoef(z[:, 0], z[:, 1])[0, 1] > 0.95
    assert abs(np.corrcoef(z[:, 0], z[:, 2])[0, 1]) < 0.15


@pytest.mark.parametrize("classes", [1, 2, 5])
def test_no_class_is_preferred(classes, monkeypatch):
    kept = []
    monkeypatch.setattr(fitted, "_mixture", lambda noise, settings: kept.append(noise) or mixture(noise))
    view = RunLike(classes=classes)

    def mixture(noise):
        return GaussianMixture(1).fit(noise.double().numpy())

    fit(view, samples=403, keep=0.1)
    samples = view.samples(403)
    places = (samples.noise[:, None] == kept[0]).all(2).any(1)
    counts = torch.bincount(samples.condition["label"][places], minlength=classes)
    everyone = torch.bincount(samples.condition["label"], minlength=classes)
    assert counts.tolist() == [math.ceil(0.1 * size) for size in everyone.tolist()]
    ratings = critic(samples.output, samples.condition).logits[0]
    for label in range(classes):
        of_class = samples.condition["label"] == label
        assert ratings[of_class & places].min() > ratings[of_class & ~places].max()


def test_a_fitted_sample_depends_on_its_key_and_index_alone_and_the_fit_on_nothing_but_run_and_settings():
    sampler = fit(RunLike(), covariance="full")
    together = sampler.draw(torch.arange(50), 9)
    assert (sampler.shape, together.dtype) == ((3,), torch.float32)
    assert torch.equal(sampler.draw(torch.tensor([41, 3]), torch.tensor(9)), together[[41, 3]])
    assert torch.equal(sampler.draw(torch.tensor([41]), 9), together[[41]])
    np.random.seed(5)
    torch.manual_seed(5)
    assert torch.equal(fit(RunLike(), covariance="full").draw(torch.arange(50), 9), together)
    assert not torch.equal(fit(RunLike(), covariance="full", samples=300).draw(torch.arange(50), 9), together)


def test_the_fit_is_made_on_one_thread_so_that_their_number_does_not_change_it(monkeypatch):
    inside = []

    def mixture(noise, settings):
        pools = [pool["num_threads"] for pool in threadpool_info()]
        inside.extend([torch.get_num_threads(), *pools])
        return original(noise, settings)

    original = fitted._mixture
    monkeypatch.setattr(fitted, "_mixture", mixture)
    before, drawn = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            drawn.append(fit(RunLike(), samples=2000, components=5, covariance="full").draw(torch.arange(50), 9))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert set(inside) == {1}
    assert torch.equal(*drawn)


def test_fitted_noise_keeps_to_the_support_of_the_training():
    z = fit(RunLike(law="spherical")).draw(torch.arange(100), 0)
    assert torch.allclose(z.norm(dim=1), torch.tensor(math.sqrt(3)))
    cube = fit(RunLike(law="uniform", classes=0), keep=1.0)
    z = cube.draw(torch.arange(1000), 0)
    assert z.abs().max() == 1.0
    assert torch.equal(cube.project(2 * z), (2 * z).clamp(-1, 1))


def test_without_a_trained_run_there_is_no_fitted_law():
    sampler = make("fitted")
    for use in (lambda: sampler.shape, lambda: sampler.draw(torch.arange(2), 0), lambda: sampler.project(None)):
        with pytest.raises(ConfigError, match="is fitted to a trained run: genframe sample RUN --noise fitted"):
            use()


class Undecided(torch.nn.Module):
    def forward(self, output, condition):
        return Critique((output[:, 0] * math.nan,))


@pytest.mark.parametrize(
    ("view", "settings", "said"),
    [
        (RunLike(law=""), {}, "this run generates without"),
        (RunLike(networks={"decoder": torch.nn.Linear(1, 1)}), {}, "this run has the networks 'decoder'"),
        (RunLike(networks={"critic": Undecided()}), {}, "not finite"),
        (RunLike(), {"samples": 40, "components": 11}, "kept 10 of 40 samples, too few for 11 components"),
        (RunLike(classes=0), {"samples": 2, "keep": 0.5, "components": 1}, "kept 1 of 2 samples"),
    ],
)
def test_a_run_that_lacks_what_the_fit_goes_by_is_refused(view, settings, said):
    with pytest.raises(ConfigError, match=said):
        fit(view, **settings)


def test_a_matrix_fitted_to_one_sample_alone_still_gives_finite_numbers():
    z = fit(RunLike(classes=0), samples=4, keep=0.5, components=2, covariance="full").draw(torch.arange(9), 0)
    assert z.isfinite().all()
