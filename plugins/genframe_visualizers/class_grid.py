"""A row of samples a class, to see what the condition changes and what the noise changes."""

from __future__ import annotations

from genframe.errors import ConfigError
from genframe.interfaces import Picture, RunView
from genframe_visualizers import ClassGridSettings
from genframe_visualizers.grids import check_pixels, check_positive, class_rows, first_class


class ClassGrid:
    """Rows are classes; `columns` samples in each, and above each column the indices of the samples in it."""

    def __init__(self, settings: ClassGridSettings) -> None:
        check_positive("class-grid", columns=settings.columns)
        self._settings = settings

    def draw(self, view: RunView) -> Picture:
        """The sheet.

        Raises:
            ConfigError: the run has no classes, or makes no pictures.
        """
        problem = view.trained.problem
        check_pixels(problem, "class-grid")
        field = first_class(problem)
        if field is None:
            raise ConfigError(
                "the visualizer 'class-grid' shows a row a class, and this run generates from "
                f"{', '.join(problem.condition) or 'noise alone'}: draw 'samples' instead"
            )
        columns, turn = self._settings.columns, len(field.classes)
        indices = [f"#{column * turn}–{column * turn + turn - 1}" for column in range(columns)]
        return class_rows(view, field.classes, columns, smooth=self._settings.smooth, column_labels=indices)
