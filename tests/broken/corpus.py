"""All broken inputs."""

from __future__ import annotations

from broken import commands, datasets, pictures, trainings
from broken.case import Case

CORPUS: list[Case] = [*pictures.cases(), *datasets.cases(), *trainings.cases(), *commands.cases()]
