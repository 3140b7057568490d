"""Samples of a class."""

from __future__ import annotations

from dataclasses import dataclass

from gan_cli.dataset.source import Source
from gan_cli.space import Space


@dataclass(frozen=True)
class Label:
    """Samples of a class that is asked for: c is a label, and x one of its samples.

    Mirza and Osindero 2014, arXiv 1411.1784. How the networks are told is `condition`.

    Needs: a data set with labels; of a folder, one sub-folder a class.
    Trouble: samples of the wrong class: condition.matching=true (a right image with a wrong label
    counts as fake), condition=projection, or auxiliary=acgan.
    """

    def space(self, source: Source) -> Space:
        """Samples of the data's classes; ValueError where these have none."""
        if getattr(source, "side_by_side", False):
            raise ValueError(
                "pairs of pictures have no labels, and one is made from the other: task=translate"
            )
        if len(source.classes) < 2:
            raise ValueError(
                "it needs labels, and these data have none: dataset=digits, or a folder with one "
                "sub-folder a class"
            )
        return Space(source.shape, source.classes)

    def take(self, source: Source) -> Source:
        """The samples with their labels."""
        return source
