"""What every layout is read into: which files make a sample, what is said of it, whether it is held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from genframe_datasets.folder import is_picture
from genframe_datasets.folder.sources import LABEL_FILES, Source

#: Folders of these names hold the part to train on,
TRAIN_NAMES = frozenset({"train", "training"})

#: and of these the part that is held out.
TEST_NAMES = frozenset({"test", "testing", "val", "valid", "validation"})

#: So many names are given in a message, of however many.
SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Samples by name.

    Attributes:
        files: field -> the name of each sample's picture.
        columns: what is known of each sample, column by column, as plain values.
        heldout: whether each sample is held out; None where the data does not say.
        notes: what the user should know, a sentence each.
    """

    files: Mapping[str, Sequence[str]]
    columns: Mapping[str, Sequence[object]] = field(default_factory=dict)
    heldout: Sequence[bool] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.files.values())))


@dataclass(frozen=True)
class Tree:
    """A folder of a source, its files sorted and their names relative to it.

    Attributes:
        source: what it is a folder of.
        prefix: where in the source; empty, or ends in a slash.
        names: of all files in it and below.
        folders: of all folders in it and below.
    """

    source: Source
    prefix: str
    names: Sequence[str]
    folders: Sequence[str]

    @classmethod
    def of(cls, source: Source) -> Tree:
        """The whole source; a single folder that everything lies in, as zips often have it, is stepped into."""
        tree = cls(source, "", *source.listing())
        while len(tree.top_folders) == 1 and not any(is_picture(name) or name in LABEL_FILES for name in tree.loose):
            tree = tree.below(tree.top_folders[0])
        return tree

    @cached_property
    def pictures(self) -> list[str]:
        """The names of the pictures."""
        return [name for name in self.names if is_picture(name)]

    @cached_property
    def loose(self) -> list[str]:
        """The names of the files in the folder itself."""
        return [name for name in self.names if "/" not in name]

    @cached_property
    def top_folders(self) -> list[str]:
        """The folder's own folders."""
        return [name for name in self.folders if "/" not in name]

    @cached_property
    def filled_folders(self) -> list[str]:
        """Those of them that hold pictures, at any depth."""
        return sorted({top for top, slash, _ in (name.partition("/") for name in self.pictures) if slash})

    @property
    def where(self) -> str:
        """The folder, for messages."""
        return self.source.where(self.prefix)

    def below(self, folder: str) -> Tree:
        """One of the folders."""
        start = f"{folder}/"
        inside = [
            [name[len(start) :] for name in names if name.startswith(start)] for names in (self.names, self.folders)
        ]
        return Tree(self.source, self.prefix + start, *inside)

    def full(self, names: Sequence[str]) -> Sequence[str]:
        """The names as the source knows them."""
        return [self.prefix + name for name in names] if self.prefix else names


def listed(names: Sequence[str]) -> str:
    """``a, b, c and 4 more``."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def parts_of(names: Sequence[str]) -> list[bool] | None:
    """Whether each is held out, by the first folder of its name; None where that does not divide them."""
    tops = [name.partition("/")[0].lower() for name in names]
    if not set(tops) <= TRAIN_NAMES | TEST_NAMES or not set(tops) & TRAIN_NAMES or not set(tops) & TEST_NAMES:
        return None
    return [top in TEST_NAMES for top in tops]
