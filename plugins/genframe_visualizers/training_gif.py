"""The course of training, from the sheets that the run has drawn itself: the same noise each time."""

from __future__ import annotations

from PIL import Image

from genframe.errors import ConfigError
from genframe.interfaces import Picture, RunView
from genframe.pictures import Animation
from genframe_visualizers import TrainingGifSettings
from genframe_visualizers.grids import check_positive

_LAST = 6  # times as long as the others


class TrainingGif:
    """Every picture of the run's ``samples/``, one after the other."""

    def __init__(self, settings: TrainingGifSettings) -> None:
        check_positive("training-gif", milliseconds=settings.milliseconds)
        self._milliseconds = settings.milliseconds

    def draw(self, view: RunView) -> Picture:
        """The animation; frames of another size than the last one's, as after a change of the preview, are left out.

        Raises:
            ConfigError: the run has drawn no picture.
        """
        frames = [_opened(path) for path in view.pictures]
        if not frames:
            raise ConfigError(
                "the visualizer 'training-gif' animates the pictures in the run's folder samples/, and there is none: "
                "name a run directory, and train with a smaller --sample-every"
            )
        frames = [frame for frame in frames if frame.size == frames[-1].size]
        times = [self._milliseconds] * (len(frames) - 1) + [_LAST * self._milliseconds]
        return Animation(frames, times)


def _opened(path: object) -> Image.Image:
    with Image.open(str(path)) as image:
        return image.convert("RGB")
