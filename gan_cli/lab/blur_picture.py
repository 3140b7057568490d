"""Answers to what was given, and where they lie between near and sharp."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.lab import style
from gan_cli.lab.answering_picture import columns

COLOURS = {
    "bicubic": style.TEXT,
    "squared error": style.REAL,
    "absolute error": style.COLOURS[4],
    "GAN": style.FAKE,
    "GAN, z1": style.FAKE,
    "GAN, z2": style.FAKE,
    "GAN, z3": style.FAKE,
    "mean of GAN's": style.COLOURS[3],
}

FIRST = {"GAN": "GAN, z1"}
"""What is called otherwise beside others of its kind."""


def faces(given: Tensor, answered: dict[str, Tensor], truth: Tensor, rows: int = 8) -> bytes:
    """Evenly spaced rows of all that was asked, what was given at the left, as a PNG file."""
    chosen = (torch.arange(rows) * len(truth)) // rows
    every = {"given": given} | answered | {"truth": truth}
    shown = {FIRST.get(name, name): x[chosen] for name, x in every.items()}
    words = "four pixels are given. Three answers of the GAN, with three z, and the mean of sixteen"
    return columns(shown, "The mean of all right answers is none of them", words, COLOURS)


def plane(points: dict[str, tuple[float, float]]) -> bytes:
    """Sharpness across and PSNR upwards, a point for each name, as a PNG file."""
    drawn, panels = style.figure(
        1, 1, (7.2, 4.4), "Near, or sharp", "held-out digits; dotted: as sharp as real ones"
    )
    panel = panels[0]
    for name, (sharp, psnr) in points.items():
        colour = COLOURS.get(name, style.BRIGHT)
        panel.plot(sharp, psnr, "o", color=colour, markersize=9)
        panel.annotate(
            name,
            (sharp, psnr),
            xytext=(0, 9),
            textcoords="offset points",
            color=colour,
            size=10,
            ha="center",
        )
    panel.axvline(1.0, color=style.BRIGHT, linewidth=1, linestyle=":")
    panel.set(xlim=(0, 1.25), xlabel="sharpness, as a share of the truth's", ylabel="PSNR, dB")
    panel.margins(y=0.2)
    return style.png(drawn)
