"""Pictures in columns: what was given, what was answered, and the truth."""

from __future__ import annotations

from torch import Tensor

from gan_cli.lab import style


def columns(
    shown: dict[str, Tensor], title: str, words: str, colours: dict[str, str], side: float = 1.2
) -> bytes:
    """Images `(rows, 1, H, W)` in [-1, 1] under the name of their column, as a PNG file."""
    rows = len(next(iter(shown.values())))
    drawn, panels = style.figure(rows, len(shown), (side, side), title, words)
    for place, (name, images) in enumerate(shown.items()):
        for row in range(rows):
            panel = panels[row * len(shown) + place]
            panel.imshow(images[row, 0].numpy(), cmap="gray", vmin=-1, vmax=1)
            panel.set(xticks=[], yticks=[])
            panel.grid(visible=False)
            if row == 0:
                colour = colours.get(name, style.BRIGHT)
                panel.set_title(name, color=colour, size=9.5, pad=6)
    return style.png(drawn)
