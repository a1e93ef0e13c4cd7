"""`genframe sample`: sample i depends on (seed, i) and its class alone, and a run is all it takes."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import genframe
import genframe_kernels
from genframe_kernels import dispatch


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on pictures of which nothing is left but the run itself."""
    folder = tmp_path_factory.mktemp("sample")
    images = np.random.default_rng(0).integers(0, 256, (90, 8, 12, 3), dtype=np.uint8)
    names = np.array(["red fox", "Ünïcode", "7"])
    labels = np.arange(90) % 3
    np.savez(folder / "data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels, class_names=names)
    genframe.train(
        "cdcgan",
        data=str(folder / "data.npz"),
        steps=5,
        batch_size=16,
        output_dir=folder / "run",
        settings={"architecture.width": 8},
    )
    (folder / "data.npz").unlink()
    return folder / "run"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def arrays(cli: Any, run: Path, *words: str) -> dict[str, Any]:
    result = cli("sample", str(run), *words, "--output", "out.npz")
    assert result.code == 0, result.err
    with np.load("out.npz", allow_pickle=False) as file:
        return dict(file)


def test_an_npz_has_images_labels_and_where_they_come_from(cli: Any, run: Path) -> None:
    out = arrays(cli, run, "-n", "70", "--seed", "5")
    assert (out["images"].shape, out["images"].dtype) == ((70, 8, 12, 3), np.uint8)
    assert out["labels"].tolist() == [i % 3 for i in range(70)]
    assert out["labels"].dtype == np.int64
    assert out["class_names"].tolist() == ["red fox", "Ünïcode", "7"]
    metadata = json.loads(str(out["metadata"]))
    assert (metadata["seed"], metadata["recipe"], len(metadata["checkpoint"])) == ("5", "cdcgan", 64)


@pytest.mark.parametrize(("first", "count"), [(5, 1), (63, 2), (64, 3), (10, 120), (129, 1)])
def test_a_sample_depends_on_seed_and_index_alone(cli: Any, run: Path, first: int, count: int) -> None:
    whole = arrays(cli, run, "-n", "130")["images"]
    part = arrays(cli, run, "-n", str(count), "--first", str(first))["images"]
    assert np.array_equal(part, whole[first : first + count])
    assert not np.array_equal(arrays(cli, run, "-n", "130", "--seed", "1")["images"], whole)


def test_classes_are_chosen_by_name_or_index_and_take_turns(cli: Any, run: Path) -> None:
    assert arrays(cli, run, "-n", "4", "--class", "Ünïcode")["labels"].tolist() == [1] * 4
    assert arrays(cli, run, "-n", "4", "--class", "0", "--class", "7")["labels"].tolist() == [0, 2, 0, 2]
    fixed = arrays(cli, run, "-n", "6", "--class", "red fox")["images"]
    turns = arrays(cli, run, "-n", "6")["images"]
    assert np.array_equal(fixed[[0, 3]], turns[[0, 3]])
    assert not np.array_equal(fixed[1], turns[1])


def test_weights_and_statistics_can_be_chosen(cli: Any, run: Path) -> None:
    average, last, batch = (arrays(cli, run, *words)["images"] for words in ((), ("--no-ema",), ("--batch-stats",)))
    assert not np.array_equal(average, last)
    assert not np.array_equal(average, batch)


def test_a_sheet_and_single_pictures_carry_their_origin(cli: Any, run: Path) -> None:
    assert cli("sample", str(run), "-n", "9", "--output", "sheet.png").code == 0
    with Image.open("sheet.png") as sheet:
        assert (sheet.info["seed"], sheet.info["count"]) == ("0", "9")
    assert cli("sample", str(run), "-n", "3", "--first", "4", "--output", "folder").code == 0
    assert sorted(path.name for path in Path("folder").iterdir()) == [f"{i:08d}.png" for i in (4, 5, 6)]
    expected = arrays(cli, run, "-n", "3", "--first", "4")["images"]
    for i in range(3):
        with Image.open(f"folder/{i + 4:08d}.png") as picture:
            assert np.array_equal(np.asarray(picture), expected[i])
            assert picture.info["index"] == str(i + 4)
            assert picture.info["class"] == ["red fox", "Ünïcode", "7"][(i + 4) % 3]


def test_one_checkpoint_can_be_sampled_and_the_global_generator_is_left_alone(run: Path) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    checkpoint = next((run / "checkpoints").iterdir())
    assert torch.equal(genframe.load(checkpoint).sample(3), genframe.load(run).sample(3))
    assert torch.equal(before, torch.get_rng_state())


def test_visualize_draws_without_the_data(cli: Any, run: Path) -> None:
    result = cli("visualize", str(run), "class-grid", "--set", "columns=3", "--output", "grid.webp")
    assert result.code == 0, result.err
    with Image.open("grid.webp") as picture:
        assert picture.format == "WEBP"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sample", "RUN", "--class", "blue fox"], 2, ["blue fox", "red fox"]),
        (["sample", "RUN", "--class", "3"], 2, ["'3'"]),
        (["sample", "RUN", "-n", "0"], 2, ["0"]),
        (["sample", "RUN", "--output", "picture.bmp"], 2, [".bmp", ".png"]),
        (["sample", "RUN", "-n", "5000", "--output", "sheet.png"], 2, ["5000", ".npz"]),
        (["sample", "RUN", "--output", "/dev/null/x.png"], 7, ["/dev/null/x.png"]),
        (["sample", "nowhere"], 5, ["nowhere"]),
        (["sample", "."], 5, ["checkpoint"]),
        (["visualize", "RUN", "class-gird"], 4, ["class-grid"]),
        (["visualize", "RUN", "samples", "--set", "colums=3"], 2, ["colums", "'columns'"]),
        (["evaluate", "RUN", "--metric", "nn2"], 4, ["nn1"]),
        (["evaluate", "RUN", "--metric", "nn1"], 3, ["data.npz"]),
    ],
)
def test_bad_input_is_one_sentence_and_an_exit_code(
    cli: Any, run: Path, words: list[str], code: int, said: list[str]
) -> None:
    result = cli(*(str(run) if word == "RUN" else word for word in words))
    assert result.code == code, result.err
    assert all(word in result.err for word in said), result.err
    assert len(result.err.strip().splitlines()) == 1


def test_a_damaged_checkpoint_is_refused(cli: Any, run: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(next((run / "checkpoints").iterdir()), tmp_path / "step-00000005")
    file = copy / "networks.safetensors"
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)
    result = cli("sample", str(copy))
    assert (result.code, "networks.safetensors" in result.err, "digest" in result.err) == (5, True, True)


def test_evaluate_prints_one_json_object(cli: Any) -> None:
    settings = {"architecture.width": 8}
    genframe.train("cdcgan", steps=3, batch_size=32, output_dir="run", settings=settings)
    result = cli("evaluate", "run", "--metric", "nn1", "-n", "100", "--json")
    assert result.code == 0, result.err
    ((name, entry),) = json.loads(result.out).items()
    assert (name, entry["protocol"]["samples"]) == ("nn1", 100)
    assert 0 <= entry["value"] <= 1
    assert set(json.loads(cli("evaluate", "run", "--json").out)) == {"nn1", "label-accuracy"}


def test_attributes_come_with_the_samples(cli: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    attributes = np.random.default_rng(1).integers(0, 2, (60, 2))
    np.savez("data.npz", images=images, attributes=attributes, attribute_names=np.array(["hat", "smile"]))
    settings = {"architecture.width": 8}
    genframe.train("cdcgan", data="data.npz", steps=3, batch_size=16, output_dir="run", settings=settings)
    out = arrays(cli, Path("run"), "-n", "9")
    assert out["attributes"].shape == (9, 2)
    assert set(np.unique(out["attributes"])) <= {0.0, 1.0}
    assert out["attribute_names"].tolist() == ["hat", "smile"]
    assert out["labels"].tolist() == [-1] * 9
    result = cli("sample", "run", "--class", "hat")
    assert (result.code, "'attributes'" in result.err) == (2, True)


def test_a_class_is_found_however_its_letters_are_composed(run: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Ünïcode") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert torch.equal(genframe.load(run).sample(2, labels=decomposed), genframe.load(run).sample(2, labels=composed))


def test_compiled_samples_are_the_same_and_do_not_follow_later_changes(run: Path) -> None:
    plain, compiled = genframe.load(run), genframe.load(run, compiled=True)
    before = plain.sample(70)
    assert torch.equal(compiled.sample(70), before)
    for generator in (plain, compiled):
        for parameter in generator.trained.networks["generator"].parameters():
            parameter.data.zero_()
    assert torch.equal(compiled.sample(70), before)
    assert not torch.equal(plain.sample(70), before)


def test_a_device_that_is_not_there_and_a_backend_that_cannot_serve_are_refused(
    cli: Any, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = cli("sample", str(run), "--device", "cuda:99")
    assert (refused.code, "--device cuda:99" in refused.err) == (2, True)

    class Refusing:
        def refusal(self, call: Any) -> str:
            return "it is closed today"

    monkeypatch.setitem(dispatch._backends, "refusing", Refusing())  # type: ignore[arg-type]
    with genframe_kernels.use_backend("refusing"):
        refused = cli("sample", str(run), "--device", "cpu")
    assert (refused.code, "it is closed today" in refused.err) == (2, True)
    assert not list(Path().iterdir())
