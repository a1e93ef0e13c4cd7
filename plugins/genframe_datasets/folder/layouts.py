"""The layouts of folders, one small reader each. A reader says what the samples are, or None: not its layout."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from genframe.errors import ConfigError, DataError
from genframe_datasets import FolderSettings
from genframe_datasets.folder.listing import TEST_NAMES, TRAIN_NAMES, Listing, Tree, listed, parts_of
from genframe_datasets.folder.sources import printable
from genframe_datasets.folder.tables import read_dataset_json, read_metadata

Reader = Callable[[Tree, FolderSettings], Listing | None]


def read_layout(tree: Tree, settings: FolderSettings) -> Listing:
    """The samples of a folder.

    Raises:
        DataError: there are no pictures, or what describes them does not fit them.
    """
    if not tree.pictures:
        held = f"none among its {len(tree.names):,} files ({_shown(tree.names)})" if tree.names else "no files at all"
        raise DataError(
            f"{tree.where} has no pictures, {held}; give a folder or a .zip with files that end in .png, .jpg, .gif, "
            ".bmp, .webp or .tif"
        )
    return next(listing for reader in _LAYOUTS if (listing := reader(tree, settings)) is not None)


def _in_parts(tree: Tree, settings: FolderSettings) -> Listing | None:
    """``train/`` and ``test/``, each in a layout of its own."""
    roles = {folder: folder.lower() for folder in tree.filled_folders}
    train = [folder for folder, role in roles.items() if role in TRAIN_NAMES]
    test = [folder for folder, role in roles.items() if role in TEST_NAMES]
    if not train or len(train) + len(test) < len(roles) or len(tree.pictures) > _count_in_folders(tree):
        return None
    read = {folder: read_layout(tree.below(folder), settings) for folder in (*train, *test)}
    return _merged([read[folder] for folder in train], {folder: read[folder] for folder in test})


def _paired(tree: Tree, settings: FolderSettings) -> Listing | None:
    """``A/`` and ``B/``, or ``trainA/``, ``trainB/`` and perhaps ``testA/`` and ``testB/``; the same names in each."""
    folders = set(tree.filled_folders)
    if settings.direction not in ("AtoB", "BtoA"):
        raise ConfigError(f"data.direction is AtoB or BtoA; got {settings.direction!r}")
    if folders == {"A", "B"}:
        return _pairs(tree, "", settings)
    stems = {folder[:-1] for folder in folders if folder[-1] in "AB"}
    if "train" not in stems or folders != {stem + side for stem in stems for side in "AB"}:
        return None
    tests = {stem: _pairs(tree, stem, settings) for stem in sorted(stems - {"train"})}
    return _merged([_pairs(tree, "train", settings)], tests)


def _pairs(tree: Tree, stem: str, settings: FolderSettings) -> Listing:
    a, b = (_by_stem(tree.below(stem + side)) for side in "AB")
    alone = sorted(f"{stem}A/{a[name]}" for name in a.keys() - b.keys())
    alone += sorted(f"{stem}B/{b[name]}" for name in b.keys() - a.keys())
    names = sorted(a.keys() & b.keys())
    if alone and not (settings.skip_bad_images and names):
        raise DataError(
            f"{len(alone):,} pictures of {tree.where} have no partner of the same name in the other of {stem}A and "
            f"{stem}B: {_shown(alone)}; complete the pairs, or leave such pictures out with --skip-bad-images (if A "
            "and B are classes, rename them)"
        )
    sides = {"A": [f"{stem}A/{a[name]}" for name in names], "B": [f"{stem}B/{b[name]}" for name in names]}
    source, image = settings.direction.split("to")
    notes = (f"skipped {len(alone):,} pictures without a partner: {_shown(alone)}",) if alone else ()
    files = {"image": tree.full(sides[image]), "source": tree.full(sides[source])}
    return Listing(files=files, heldout=parts_of(names), notes=notes)


def _by_stem(tree: Tree) -> dict[str, str]:
    """The pictures by their names without ending, since the two of a pair may be of different formats."""
    found: dict[str, str] = {}
    for name in tree.pictures:
        stem = name.rpartition(".")[0]
        if stem in found:
            raise DataError(f"{tree.where} has both {printable(found[stem])} and {printable(name)}; keep one of them")
        found[stem] = name
    return found


def _by_class(tree: Tree, settings: FolderSettings) -> Listing | None:
    """``<class>/*``, at any depth below the class."""
    if not tree.filled_folders or len(tree.pictures) > _count_in_folders(tree):
        return None
    classes = [name.partition("/")[0] for name in tree.pictures]
    empty = [printable(name) for name in tree.top_folders if name not in set(tree.filled_folders)]
    notes = (f"{tree.where}: folders without pictures are no classes: {listed(empty)}",) if empty else ()
    return Listing(files={"image": tree.full(tree.pictures)}, columns={"label": classes}, notes=notes)


def _flat(tree: Tree, settings: FolderSettings) -> Listing:
    """Pictures without labels."""
    mixed = f"{tree.where} has pictures both in itself and in folders: all are read, without labels"
    return Listing(files={"image": tree.full(tree.pictures)}, notes=(mixed,) if tree.filled_folders else ())


def _count_in_folders(tree: Tree) -> int:
    return sum("/" in name for name in tree.pictures)


def _merged(train: list[Listing], tests: dict[str, Listing]) -> Listing:
    """Several listings as one. A test part that lacks the labels of the other is no use, and left out."""
    first = train[0]
    kept = {name: part for name, part in tests.items() if part.columns.keys() >= first.columns.keys()}
    left = [printable(name) for name in tests if name not in kept]
    notes = [f"left out, since it lacks the labels of the training part: {listed(left)}"] if left else []
    both = [*train, *kept.values()]
    if any(part.files.keys() != first.files.keys() for part in both):
        raise DataError("one part has pairs of pictures in A and B and the other has not; give both the same layout")
    notes += chain.from_iterable(part.notes for part in both)
    common = [name for name in first.columns if all(name in part.columns for part in both)]
    return Listing(
        files={name: _chained([part.files[name] for part in both]) for name in first.files},
        columns={name: _chained([part.columns[name] for part in both]) for name in common},
        heldout=[part not in train for part in both for _ in range(len(part))] if kept else None,
        notes=tuple(notes),
    )


def _chained(lists: list) -> list:  # type: ignore[type-arg]
    return list(chain.from_iterable(lists))


def _shown(names: object) -> str:
    return listed([printable(name) for name in list(names)])  # type: ignore[call-overload]


#: In the order in which they are tried: what says most of itself first.
_LAYOUTS: tuple[Reader, ...] = (read_metadata, read_dataset_json, _in_parts, _paired, _by_class, _flat)
