"""Draws the pictures of kernels.md: ``python docs/draw_kernels.py`` writes them to docs/images/kernels-*.png."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from torch.nn import functional as F  # noqa: N812

IMAGES = Path(__file__).parent / "images"
KERNEL, STRIDE, PADDING = 4, 2, 1
#: Of the phases (0, 0), (0, 1), (1, 0), (1, 1); of what is not read.
COLOURS, PALE = ("#8ecae6", "#ffd166", "#a7d8a0", "#f4a6a0"), "#f1f1f1"


def taps(phase: int) -> list[tuple[int, int]]:
    """(q - t, kernel row) for each tap of a phase along one axis."""
    quotient, residue = divmod(phase + PADDING, STRIDE)
    return [(quotient - t, residue + STRIDE * t) for t in range(math.ceil((KERNEL - residue) / STRIDE))]


def grid(
    axes: Axes,
    colours: Sequence[Sequence[str]],
    words: Sequence[Sequence[str]],
    rows: Sequence[object] | None = None,
    columns: Sequence[object] | None = None,
    size: int = 12,
) -> None:
    """Cells of these colours with these words, the rows and columns named on the left and on top."""
    axes.imshow([[to_rgb(colour) for colour in row] for row in colours])
    for i, row in enumerate(words):
        for j, word in enumerate(row):
            axes.text(j, i, word, ha="center", va="center", fontsize=size)
    height, width = len(colours), len(colours[0])
    axes.set_xticks(range(width), range(width) if columns is None else columns)
    axes.set_yticks(range(height), range(height) if rows is None else rows)
    axes.set_xticks([j - 0.5 for j in range(1, width)], minor=True)
    axes.set_yticks([i - 0.5 for i in range(1, height)], minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)


def draw_matrix() -> None:
    """The transpose of M in one dimension, from 4 to 8 pixels, and with its rows sorted by phase."""
    figure, panels = plt.subplots(1, 2, figsize=(9.5, 6.2), layout="constrained")
    orders = (list(range(8)), [*range(0, 8, 2), *range(1, 8, 2)])
    titles = ("transpose of M", "the same, rows sorted by phase")
    shades = (COLOURS[0], COLOURS[1])
    for axes, order, title in zip(panels, orders, titles, strict=True):
        entries = [[row + PADDING - STRIDE * column for column in range(4)] for row in order]
        there = [[0 <= entry < KERNEL for entry in line] for line in entries]
        lines = list(zip(order, entries, there, strict=True))
        colours = [[shades[row % 2] if is_in else PALE for is_in in known] for row, _, known in lines]
        words = [
            [f"w{entry}" if is_in else "0" for entry, is_in in zip(line, known, strict=True)]
            for _, line, known in lines
        ]
        grid(axes, colours, words, rows=order, size=14)
        axes.set_title(title, fontsize=14, pad=30)
        axes.set_xlabel("input pixel", fontsize=12)
        axes.xaxis.set_label_position("top")
        axes.set_ylabel("output pixel", fontsize=12)
    for phase, middle in enumerate((1.5, 5.5)):
        entries = ", ".join(f"w{row}" for _, row in taps(phase))
        panels[1].text(3.7, middle, f"phase {phase}\nreads\n{entries}", va="center", fontsize=14)
    panels[1].axhline(3.5, color="black", linewidth=2)
    save(figure, "matrix")


def draw_phases() -> None:
    """Output pixels coloured by phase, and what each phase reads for u = v = 1."""
    figure = plt.figure(figsize=(14.5, 6.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.5))
    axes = left.subplots()
    phases = [[STRIDE * (row % 2) + column % 2 for column in range(8)] for row in range(8)]
    grid(axes, [[COLOURS[phase] for phase in row] for row in phases], [[""] * 8] * 8)
    for phase in range(4):
        axes.text(2 + phase % 2, 2 + phase // 2, f"{phase // 2},{phase % 2}", ha="center", va="center", fontsize=13)
    axes.add_patch(Rectangle((1.5, 1.5), 2, 2, fill=False, linewidth=3, zorder=5))
    axes.set_title("output, 8x8; a,b is the phase", fontsize=14)
    for phase, part in enumerate(right.subfigures(2, 2, hspace=0.06).flat):
        a, b = divmod(phase, 2)
        part.suptitle(
            f"phase a={a}, b={b}: output row {2 + a}, column {2 + b}", fontsize=13, backgroundcolor=COLOURS[phase]
        )
        pixels, kernel = part.subplots(1, 2)
        read, used = ([[""] * 4 for _ in range(4)] for _ in range(2))
        letters = iter("ABCD")
        for shift_h, row in taps(a):
            for shift_w, column in taps(b):
                read[1 + shift_h][1 + shift_w] = used[row][column] = next(letters)
        for panel, words, title in ((pixels, read, "input"), (kernel, used, "kernel")):
            grid(panel, [[COLOURS[phase] if word else PALE for word in line] for line in words], words, size=14)
            panel.set_xlabel(title, fontsize=12)
    save(figure, "phases")


def draw_table() -> None:
    """Which output pixels each tap reaches, and the maps that one filter gives."""
    ones = torch.ones(1, 1, 12, 12)
    units = torch.eye(KERNEL * KERNEL).view(-1, 1, KERNEL, KERNEL)
    reach = F.conv2d(ones, units, None, STRIDE, PADDING)[0]
    filters = torch.randint(-4, 6, (1, 1, KERNEL, KERNEL), generator=torch.Generator().manual_seed(3)).float()
    plain = F.conv2d(ones, filters, None, STRIDE, PADDING)[0, 0]
    up = F.conv_transpose2d(ones[:, :, :5, :5], filters, None, STRIDE, PADDING)[0, 0]

    figure = plt.figure(figsize=(15, 5.6), layout="constrained")
    left, middle, right = figure.subfigures(1, 3, width_ratios=(1, 1, 1))
    left.suptitle("reach of tap kh,kw: 1 blue, 0 grey", fontsize=14)
    for tap, axes in enumerate(left.subplots(KERNEL, KERNEL).flat):
        colours = [["#3a7ca5" if value else "#d0d0d0" for value in row] for row in reach[tap].tolist()]
        grid(axes, colours, [[""] * 6] * 6, rows=[""] * 6, columns=[""] * 6)
        axes.set_xlabel(f"{tap // KERNEL},{tap % KERNEL}", fontsize=10)
    for part, table, title in ((middle, plain, "P of a convolution"), (right, up, "P of a transposed convolution")):
        part.suptitle(title, fontsize=14)
        axes = part.subplots()
        size = len(table)
        shades = plt.get_cmap("coolwarm")(0.5 + table.numpy() / (2.4 * table.abs().max().item()))
        words = [[f"{value:.0f}" for value in row] for row in table.tolist()]
        grid(axes, [[mpl.colors.to_hex(cell) for cell in row] for row in shades], words, size=14 if size < 8 else 11)
        axes.add_patch(Rectangle((0.5, 0.5), size - 2, size - 2, fill=False, linewidth=3, zorder=5))
    save(figure, "table")


def save(figure: plt.Figure, name: str) -> None:
    """Writes and closes it."""
    figure.savefig(
        IMAGES / f"kernels-{name}.png", dpi=80, bbox_inches="tight", pad_inches=0.15, metadata={"Software": None}
    )
    plt.close(figure)


if __name__ == "__main__":
    draw_matrix()
    draw_phases()
    draw_table()
