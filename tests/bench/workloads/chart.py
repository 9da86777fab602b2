"""chart.py: draws ratios as an SVG picture: one line a workload, one bar a program, on a logarithmic axis that starts at 1.

Bars to the right of the line at 1 take longer than native, bars to its left are faster.
"""

import dataclasses
import math
import os
from xml.sax.saxutils import escape

LABEL, WIDTH, TOP, BAR, GAP = 150, 640, 64, 7, 5
COLOURS = ("#b0b7c3", "#2b6cb0")
FONT = 'font-family="sans-serif" font-size="11"'


@dataclasses.dataclass
class Row:
    """`values`: {program: ratio or None}; `aim`: the ratio that is aimed at, or None."""
    name: str
    group: str
    values: dict
    aim: object = None


def _text(x, y, words, anchor="start", weight="normal"):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" font-weight="%s" %s>%s</text>' % (
        x, y, anchor, weight, FONT, escape(words))


def _line(x1, y1, x2, y2, colour):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>' % (x1, y1, x2, y2, colour)


def draw(title, programs, rows):
    """The picture as text."""
    values = [v for r in rows for v in [*r.values.values(), r.aim] if v]
    low = math.floor(math.log2(min([1, *values])))
    high = max(low + 1, math.ceil(math.log2(max([2, *values]))))

    def x(value):
        return LABEL + WIDTH * (math.log2(value) - low) / (high - low)

    body, y, group = [], TOP, None
    step = len(programs) * BAR + GAP
    for r in rows:
        if r.group != group:
            group = r.group
            y += 16
            body.append(_text(4, y, group, weight="bold"))
            y += 6
        body.append(_text(LABEL - 6, y + BAR + 3, r.name, "end"))
        for i, program in enumerate(programs):
            value = r.values.get(program)
            if value:
                left, right = sorted((x(1), x(value)))
                body.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s"><title>%s: %.2f</title></rect>' % (
                    left, y + i * BAR, max(right - left, 1), BAR - 1, COLOURS[i], escape(r.name + " " + program), value))
        if r.aim:
            body.append(_line(x(r.aim), y - 1, x(r.aim), y + step - GAP, "#c53030"))
        y += step
    grid = []
    for power in range(low, high + 1):
        at = x(2.0 ** power)
        grid += [_line(at, TOP, at, y, "#333333" if power == 0 else "#e2e5ea"),
                 _text(at, TOP - 4, "%g" % 2.0 ** power, "middle")]
    legend = []
    for i, program in enumerate(programs):
        legend += ['<rect x="%d" y="26" width="10" height="10" fill="%s"/>' % (LABEL + i * 80, COLOURS[i]),
                   _text(LABEL + i * 80 + 14, 35, program)]
    legend += [_line(LABEL + len(programs) * 80, 26, LABEL + len(programs) * 80, 37, "#c53030"),
               _text(LABEL + len(programs) * 80 + 6, 35, "aim")]
    size = (LABEL + WIDTH + 30, y + 10)
    return "\n".join(['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' % (*size, *size),
                      '<rect width="100%" height="100%" fill="white"/>', _text(4, 16, title, weight="bold"),
                      *legend, *grid, *body, "</svg>", ""])


def write(path, title, programs, rows):
    """Writes the picture; it appears by a rename."""
    with open(path + ".new", "w") as f:
        f.write(draw(title, programs, rows))
    os.rename(path + ".new", path)
