"""Makes every picture of ``docs/gallery.md`` by the command above it.

    python docs/draw_gallery.py --data-dir DIR [--folder DIR]

A run that lies in the folder already is not trained again. ``--data-dir`` has MNIST's files, in a folder of its own or
not.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parent / "gallery.md"

#: A block of commands, and the picture below it if there is one.
BLOCK = re.compile(r"```sh\n(?P<commands>.*?)```\n+(?:!\[[^\]]*\]\((?P<picture>[^)]+)\))?", re.DOTALL)


def blocks() -> Iterator[tuple[list[list[str]], str | None]]:
    """The commands of each block, as words, and the picture below it."""
    for match in BLOCK.finditer(PAGE.read_text()):
        lines = match["commands"].replace("\\\n", " ").splitlines()
        yield [shlex.split(line) for line in lines if line.strip()], match["picture"]


def is_done(words: list[str], folder: Path) -> bool:
    """Whether the command trains a run that has been trained."""
    return words[1] == "run" and (folder / words[words.index("--output-dir") + 1] / "samples" / "final.png").exists()


def main() -> None:
    """Runs all commands in order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--folder", type=Path, help="where runs are made and kept; by default a temporary one")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GENFRAME_DATA": str(Path(options.data_dir).resolve())}
    for commands, picture in blocks():
        for words in commands:
            if not is_done(words, folder):
                subprocess.run([sys.executable, "-m", *words], cwd=folder, env=environment, check=True)
        if picture is not None:
            made = commands[-1][commands[-1].index("--output") + 1]
            shutil.copyfile(folder / made, PAGE.parent / picture)


if __name__ == "__main__":
    main()
