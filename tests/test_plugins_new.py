"""``genframe plugins new``: every kind's package works as it is written, and is small and clear enough to be edited."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest
import torch

import genframe
from genframe.errors import ConfigError
from genframe.experiments import Figure
from genframe.registry import load_registry
from genframe.scaffold import commands, folder_name, plugin_files, write_plugin
from genframe.scaffold.kinds import STARTS
from genframe.scaffold.names import LONGEST
from genframe.specs import KINDS, Choice, NoiseSpec, PartSpec

ROOT = Path(__file__).parents[1]

#: What the README may ask of a newcomer before there is a result.
MOST_COMMANDS, MOST_LINES = 5, 40

#: A setting out of its range, of each kind that has settings.
REFUSED = {
    "algorithm": {"learning_rate": 0.0},
    "architecture": {"layers": 17},
    "conditioning": {"dim": 0},
    "noise": {"radius": 0.0},
    "objective": {"real": -1.0},
    "regularizer": {"weight": -0.1},
    "augmentation": {"strength": 1.5},
    "term": {"weight": float("inf")},
    "dataset": {"image_size": 7},
    "metric": {"count": 1},
    "visualizer": {"columns": 1},
    "observer": {"window": 0},
    "experiment": {"steps": 0},
}

_RUN = ("run", "--plugin", "cdcgan", "--device", "cpu", "--steps", 2, "--batch-size", 8, "--log-every", 1)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of each kind, called ``my-KIND``, as it is written."""
    folder = tmp_path_factory.mktemp("packages")
    for kind in KINDS:
        write_plugin(folder / folder_name(f"my-{kind}"), plugin_files(kind, f"my-{kind}"))
    return folder


@pytest.fixture(scope="module")
def installed(packages: Path) -> Path:
    """Where pip has installed them all."""
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", packages / "site"]
    projects = [packages / folder_name(f"my-{kind}") for kind in KINDS]
    subprocess.run([*command, *projects], check=True, capture_output=True)
    return packages / "site"


@pytest.fixture
def site(installed: Path, on_path: Callable[[Path], None]) -> Path:
    """The same, visible to this test."""
    on_path(installed)
    return installed


# What is written


def test_there_is_a_template_for_each_kind_and_no_other():
    folders = {each.name for each in (resources.files("genframe.scaffold") / "templates").iterdir() if each.is_dir()}
    assert folders == {*KINDS, "package"}
    assert tuple(STARTS) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_is_complete(packages, kind):
    folder, module = packages / f"genframe-my-{kind}", f"genframe_my_{kind}"
    places = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    expected = {".gitignore", "README.md", "pyproject.toml", "tests/test_conformance.py", f"{module}/__init__.py"}
    assert expected <= places
    assert len(places) == len(expected) + (kind != "recipe")
    assert not any("$" in (folder / place).read_text() for place in places)


@pytest.mark.parametrize("kind", KINDS)
def test_from_nothing_to_a_result_takes_few_commands_and_few_lines(packages, kind):
    folder = packages / f"genframe-my-{kind}"
    (listed,) = re.findall(r"```\n(.*?)\n```", (folder / "README.md").read_text(), re.DOTALL)
    assert listed.splitlines() == list(commands(kind, f"my-{kind}"))
    assert len(listed.splitlines()) <= MOST_COMMANDS
    assert f"genframe plugins show {kind}/my-{kind}" in listed
    marked = [line for path in folder.glob("genframe_*/*.py") for line in marked_lines(path.read_text())]
    assert 1 <= len(marked) <= MOST_LINES


def marked_lines(source: str) -> Iterator[str]:
    """The lines beside a comment ``# Yours``, and those below one up to the next line without text."""
    inside = False
    for line in source.splitlines():
        if line.strip().startswith("# Yours"):
            inside = True
        elif "  # Yours" in line or (inside and line):
            yield line
        else:
            inside = False


def test_the_command_says_what_it_wrote_and_what_to_type_next(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = cli("plugins", "new", "ring", "--kind", "noise")
    assert result.code == 0
    written, _, following = result.out.partition("\n\n")
    assert {Path(line) for line in written.splitlines()} == {
        path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()
    }
    typed = [line.strip() for line in following.splitlines()[1:]]
    assert typed == [
        "pip install --editable './genframe-ring[test]'",
        "genframe plugins show noise/ring",
        "genframe run --plugin cdcgan --noise ring --steps 200",
        "pytest ./genframe-ring",
    ]
    assert following.splitlines()[0] == "edit what stands below '# Yours', or try it as it is:"


def test_a_path_with_spaces_is_typed_so_that_a_shell_takes_it(cli, tmp_path):
    out = cli("plugins", "new", "ring", "--kind", "noise", "--output-dir", tmp_path / "my plugins").out
    (install,) = [line for line in out.splitlines() if "pip install" in line]
    assert shlex.split(install)[-1] == f"{tmp_path}/my plugins/genframe-ring[test]"


@pytest.mark.parametrize("name", ["2", "a.b-c", "abcdefghi-abcdefghi-abcdef", "none", "2d-noise"])
def test_the_code_is_in_genframes_own_style_whatever_the_name(tmp_path, name):
    assert len(name) <= LONGEST
    for kind in KINDS:
        write_plugin(tmp_path / kind, plugin_files(kind, name))
    modules = [str(path) for path in tmp_path.glob("*/genframe_*")]
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    rules = ["--select", ",".join(own["select"]), "--ignore", ",".join(own["ignore"])]
    convention = ["--config", f'lint.pydocstyle.convention="{own["pydocstyle"]["convention"]}"']
    for words in (["check", "."], ["check", *rules, *convention, *modules], ["format", "--check", "--diff", "."]):
        command = [sys.executable, "-m", "ruff", *words, "--no-cache"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_the_code_is_typed(packages, tmp_path):
    sources = [str(path) for path in packages.glob("genframe-*/genframe_*")]
    options = ["--follow-imports", "silent", "--explicit-package-bases", "--namespace-packages"]
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path), *options, "--config-file", "", *sources]
    roots = [*packages.glob("genframe-*"), ROOT, ROOT / "plugins", ROOT / "kernels"]
    environment = {"MYPYPATH": ":".join(map(str, roots)), "PATH": ""}
    result = subprocess.run(command, env=environment, cwd=packages, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


# What is refused


@pytest.mark.parametrize("name", ["Ring", "my_ring", "ring-", "-ring", "a b", "", "../ring", "ríng"])
def test_what_is_no_name_is_refused(cli, tmp_path, name):
    result = cli("plugins", "new", "--kind", "noise", "--output-dir", tmp_path, "--", name)
    assert result.code == 2
    assert "lower case letters, digits, '-' and '.'" in result.err
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_too_long_is_refused(cli, tmp_path):
    result = cli("plugins", "new", "a" * (LONGEST + 1), "--kind", "noise", "--output-dir", tmp_path)
    assert (result.code, result.err) == (
        2,
        f"genframe: a new plugin's name has at most {LONGEST} characters; '{'a' * (LONGEST + 1)}' has {LONGEST + 1}\n",
    )


def test_an_unknown_kind_is_refused_with_the_nearest_one(cli, tmp_path):
    result = cli("plugins", "new", "ring", "--kind", "nois", "--output-dir", tmp_path)
    assert result.code == 2
    assert all(f"'{kind}'" in result.err for kind in KINDS)
    assert result.err.endswith("Did you mean 'noise'?\n")


def test_a_name_of_an_installed_part_of_the_kind_is_refused_with_another_that_is_free(cli, tmp_path):
    result = cli("plugins", "new", "gaussian", "--kind", "noise", "--output-dir", tmp_path)
    assert result.code == 2
    assert "the noise 'gaussian' is taken by plugin 'noise'" in result.err
    assert result.err.endswith("choose another name, say 'my-gaussian'\n")
    assert cli("plugins", "new", "my-gaussian", "--kind", "noise", "--output-dir", tmp_path).code == 0
    assert cli("plugins", "new", "gaussian", "--kind", "metric", "--output-dir", tmp_path).code == 0


def test_what_it_suggests_is_free_too(cli, tmp_path):
    genframe.register(NoiseSpec(name="my-gaussian", summary="Another one", factory="nowhere:Noise"))
    result = cli("plugins", "new", "gaussian", "--kind", "noise", "--output-dir", tmp_path)
    assert result.err.endswith("choose another name, say 'gaussian-2'\n")


def test_a_name_whose_module_is_installed_already_is_refused(cli, tmp_path):
    result = cli("plugins", "new", "dcgan", "--kind", "noise", "--output-dir", tmp_path)
    assert result.code == 2
    assert "would be the module genframe_dcgan, and one is installed already" in result.err


def test_a_folder_that_has_content_is_refused_and_left_alone(cli, tmp_path):
    (tmp_path / "genframe-ring").mkdir()
    assert cli("plugins", "new", "ring", "--kind", "noise", "--output-dir", tmp_path).code == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = cli("plugins", "new", "ring", "--kind", "metric", "--output-dir", tmp_path)
    assert result.code == 7
    assert result.err.endswith("is not empty: remove it, or choose another name or --output-dir\n")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_file_in_the_folders_place_is_refused(cli, tmp_path):
    (tmp_path / "genframe-ring").write_text("mine")
    result = cli("plugins", "new", "ring", "--kind", "noise", "--output-dir", tmp_path)
    assert result.code == 7
    assert "is a file" in result.err


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(cli, tmp_path):
    (tmp_path / "file").write_text("")
    result = cli("plugins", "new", "ring", "--kind", "noise", "--output-dir", tmp_path / "file")
    assert result.code == 7
    assert "cannot be written" in result.err


# That it works


def test_the_packages_are_listed_and_their_parts_shown_without_torch(genframe_process, site):
    script = (
        "import contextlib, sys\n"
        "from genframe.cli.main import main\n"
        f"names = ['{{}}/my-{{}}'.format(kind, kind) for kind in {KINDS}]\n"
        "for words in ['list'], *(['show', name] for name in names):\n"
        "    with contextlib.suppress(SystemExit): main(['plugins', *words])\n"
        "assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)\n"
    )
    result = genframe_process("-c", script, GENFRAME_STRICT_PLUGINS="1")
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    for kind in KINDS:
        assert [f"my-{kind}", f"genframe-my-{kind}", "0.1.0", f"genframe_my_{kind}"] in rows
        assert [kind, f"my-{kind}"] in rows


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "recipe"])
def test_settings_are_explained_and_checked(site, kind):
    spec = load_registry().find(kind, f"my-{kind}").spec
    assert isinstance(spec, PartSpec)
    spec.settings()
    assert "Attributes:" in (spec.settings.__doc__ or "")
    ((name, value),) = REFUSED[kind].items()
    with pytest.raises(ConfigError, match=rf"^'my-{kind}' got {name} = {value}; it is "):
        spec.settings(**{name: value})


def test_a_run_takes_the_new_parts_together(cli, site, tmp_path):
    words = [f"--{kind}=my-{kind}" for kind in ("architecture", "conditioning", "noise", "objective", "metric")]
    words += ["--regularizer=my-regularizer", "--augmentation=my-augmentation", "--data=my-dataset"]
    words += ["--set", 'terms=["my-term"]', "--set", 'observers=["my-observer"]', "--set", "preview=my-visualizer"]
    result = cli(*_RUN, *words, "--set", "data.count=60", "--output-dir", tmp_path / "run")
    assert result.code == 0, result.err
    used = json.loads((tmp_path / "run" / "run.json").read_text())["plugins"]
    assert used.keys() - {"genframe"} == {f"genframe-my-{kind}" for kind in KINDS} - {
        "genframe-my-recipe",
        "genframe-my-algorithm",
        "genframe-my-experiment",
    }
    figures = (tmp_path / "run" / "my-observer.csv").read_text().splitlines()
    assert {line.split(",")[0] for line in figures} == {"1", "2"}
    assert "my-metric: " in result.out


@pytest.mark.parametrize("conditioning", ["none", "concat", "hidden", "conditional-batch-norm", "projection"])
def test_the_architecture_takes_every_conditioning(cli, site, tmp_path, conditioning):
    words = ["--architecture", "my-architecture", "--conditioning", conditioning, "--metric", "my-metric"]
    result = cli(*_RUN, *words, "--output-dir", tmp_path / "run")
    assert result.code == 0, result.err


def test_the_algorithm_trains_and_its_run_is_measured_and_drawn(cli, site, tmp_path):
    run, picture = tmp_path / "run", tmp_path / "picture.png"
    assert cli(*_RUN, "--algorithm", "my-algorithm", "--metric", "my-metric", "--output-dir", run).code == 0
    result = cli("evaluate", run, "--metric", "my-metric", "-n", 50, "--json")
    assert json.loads(result.out)["my-metric"]["protocol"] == {"samples": 50, "real": 50, "seed": 0}
    result = cli("visualize", run, "my-visualizer", "--set", "rows=2", "--set", "columns=3", "--output", picture)
    assert (result.code, result.out) == (0, f"{picture}\n")
    assert picture.stat().st_size > 0


def test_the_recipe_runs_by_its_name(cli, site, tmp_path):
    words = ["--plugin", "my-recipe", "--steps", 2, "--batch-size", 8, "--device", "cpu"]
    assert cli("run", *words, "--output-dir", tmp_path / "run").code == 0


def test_the_experiment_is_answered_on_a_page(cli, site, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--seeds", 2, "--set", "steps=2", "--set", "samples=20", "--device", "cpu"]
    result = cli("reproduce", "my-experiment", *words)
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == "reproductions/my-experiment.md"
    page = (tmp_path / "reproductions" / "my-experiment.md").read_text()
    assert "| Wider networks err less. (folklore) | - | 1-NN error " in page
    assert re.search(r"\| thin \| [\d.]+% \| [\d.]+% \|", page)


@pytest.mark.parametrize("kinds", [KINDS[:4], KINDS[4:9], KINDS[9:]], ids=" ".join)
def test_the_packages_pass_their_own_tests(genframe_process, packages, site, kinds):
    folders = [packages / f"genframe-my-{kind}" / "tests" for kind in kinds]
    options = ["-v", "-p", "no:cacheprovider", "-p", "no:xdist", "--import-mode=importlib"]
    result = genframe_process("-m", "pytest", *options, *folders, OMP_NUM_THREADS="1")
    assert result.returncode == 0, result.stdout + result.stderr
    passed = {line.partition("[")[2].partition("-")[0] for line in result.stdout.splitlines() if " PASSED" in line}
    assert passed == {f"{kind}/my" for kind in kinds}


# That it does what it says


@pytest.fixture
def make(site) -> Callable[..., object]:
    """Builds the part ``my-KIND`` with these settings."""
    from genframe.build import build_part

    registry = load_registry()

    def build(kind: str, *arguments: object, **settings: object) -> object:
        return build_part(registry, kind, Choice(name=f"my-{kind}", settings=settings), kind, *arguments)

    return build


def test_the_noise_is_on_the_sphere(make):
    noise = make("noise", dim=5, radius=3.0)
    torch.testing.assert_close(noise.draw(torch.arange(7), 1).norm(dim=1), torch.full((7,), 3.0))
    torch.testing.assert_close(noise.project(torch.tensor([[4.0, 0, 3, 0, 0]])), torch.tensor([[2.4, 0, 1.8, 0, 0]]))


def test_the_objective_is_least_squares(make):
    from genframe.interfaces import Critique

    objective = make("objective", real=2.0, fake=-1.0)
    real, fake = Critique((torch.tensor([2.0, 4.0]),)), Critique((torch.tensor([-1.0, 1.0]),))
    assert objective.critic(real, fake).item() == pytest.approx(0.5 * 4 / 2 + 0.5 * 4 / 2)
    assert objective.generator(None, fake).item() == pytest.approx(0.5 * (9 + 1) / 2)


def test_the_energy_distance_is_that_of_two_points_and_zero_for_equal_sets(site):
    from genframe_my_algorithm.algorithm import energy_distance

    x, y = torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor([[6.0, 8.0]])
    assert energy_distance(x, y).item() == pytest.approx(2 * 7.5 - 2.5)
    assert energy_distance(x, x.flip(0)).item() == pytest.approx(0, abs=1e-6)


def test_the_dataset_holds_a_fifth_of_each_class_out(make):
    dataset = make("dataset", count=300, image_size=9)
    parts = [dataset.split(part) for part in ("train", "heldout")]
    assert [len(part) for part in parts] == [240, 60]
    counts = [torch.bincount(part.read(range(len(part)), epoch=0, seed=0)["label"]).tolist() for part in parts]
    assert counts == [[80] * 3, [20] * 3]


def test_each_shape_has_the_area_of_its_kind(make):
    dataset = make("dataset", count=600, image_size=64)
    batch = dataset.read(range(600), epoch=0, seed=0)
    ink = batch["image"].flatten(1).double().sum(1) / 255
    disc, square, diamond = (ink[batch["label"] == label].mean().item() for label in range(3))
    assert square / disc == pytest.approx(4 / torch.pi, rel=0.1)
    assert square / diamond == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize(
    ("thin", "wide", "verdict"),
    [
        ([0.5, 0.6, 0.7], [0.1, 0.2, 0.3], "confirmed"),
        ([0.1, 0.2, 0.3], [0.5, 0.6, 0.7], "refuted"),
        ([0.1, 0.6], [0.2, 0.3], "undecided"),
        ([0.9], [0.1], "undecided"),
        ([float("nan"), 0.6], [0.2, 0.3], "undecided"),
    ],
)
def test_the_experiment_concludes_what_the_interval_of_the_differences_says(make, thin, wide, verdict):
    class Evidence:
        seeds = range(len(thin))

        def measure(self, training, seed, metric, **settings):
            assert (metric, settings) == ("nn1", {"count": 7})
            return Figure(value={"thin": thin, "wide": wide}[training][seed], interval=None, protocol={})

    report = make("experiment", samples=7).conclude(Evidence())
    assert [each.verdict for each in report.findings] == [verdict]


def test_the_term_is_the_distance_of_means(make):
    output, batch = torch.tensor([[1.0], [3.0]]), {"image": torch.tensor([[0.0], [0.0]])}
    assert make("term", weight=0.5)(batch, output, None, None).item() == pytest.approx(0.5 * 4)
    with pytest.raises(ConfigError, match="field = 'picture' is not one of 'image'"):
        make("term", field="picture")(batch, output, None, None)
