"""Draw effects.json as layer-by-head grids: ``python docs/findings/grids.py`` writes one SVG a sweep beside it."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parent
CELL, LEFT, TOP = 18, 34, 46


def color(value: float, most: float) -> str:
    """White at no effect, blue where the metric falls without the head, orange where it rises."""
    share = min(abs(value) / most, 1.0) ** 0.6  # small effects stay visible
    to = (33, 102, 172) if value < 0 else (217, 95, 14)
    return "#" + "".join(f"{round(255 + (end - 255) * share):02x}" for end in to)


def grid(title: str, note: str, values: list[list[float]]) -> str:
    """An SVG of values [layer][head], layers from left to right."""
    layers, heads = len(values), len(values[0])
    most = max(abs(value) for row in values for value in row)
    width, height = LEFT + layers * CELL + 12, TOP + heads * CELL + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="18" font-size="13" font-weight="bold">{title}</text>',
        f'<text x="{LEFT}" y="34" font-size="10" fill="#555">{note}</text>',
    ]
    for layer, row in enumerate(values):
        x = LEFT + layer * CELL
        parts.append(
            f'<text x="{x + CELL / 2}" y="{TOP + heads * CELL + 14}" font-size="9" text-anchor="middle">{layer}</text>'
        )
        for head, value in enumerate(row):
            y = TOP + head * CELL
            square = f'x="{x}" y="{y}" width="{CELL - 1}" height="{CELL - 1}"'
            parts.append(
                f'<rect {square} stroke="#ddd" fill="{color(value, most)}">'
                f"<title>{layer}.{head}: {value:+.3f}</title></rect>"
            )
    parts += [
        f'<text x="{LEFT - 8}" y="{TOP + head * CELL + 13}" font-size="9" text-anchor="end">{head}</text>'
        for head in range(heads)
    ]
    parts.append(
        f'<text x="{LEFT}" y="{height - 8}" font-size="10" fill="#555">layer; rows are heads. Strongest: '
        f"{most:.2g}. Blue: the metric falls without the head.</text></svg>"
    )
    return "\n".join(parts) + "\n"


def main() -> None:
    for name, sweep in json.loads((FOLDER / "effects.json").read_text(encoding="utf-8")).items():
        (FOLDER / f"{name}.svg").write_text(grid(sweep["title"], sweep["note"], sweep["values"]), encoding="utf-8")


if __name__ == "__main__":
    main()
