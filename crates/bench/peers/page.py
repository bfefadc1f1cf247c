"""Decides what a row of the accuracy page is, and when the page is refused.

A row compares our number (or list of them) with a library's. It passes when the difference is
within its tolerance, or when a reason for a difference stands beside it. A reason without a
difference is refused as well: it would outlive what it explains.
"""

import numpy as np


def shown(value):
    """A number, or the first of several."""
    flat = np.ravel(np.asarray(value, dtype=float))
    text = f"{flat[0]:.9g}"
    return text if len(flat) == 1 else f"{text}, ... ({len(flat)})"


class Page:
    """Rows in sections, and what is wrong with them."""

    def __init__(self):
        self.lines, self.faults, self.rows = [], [], 0

    def section(self, title, inputs):
        """Begins a table."""
        self.lines += [f"\n## {title}\n", f"Input: {inputs}\n"]
        self.lines += ["| quantity | ours | library | theirs | difference | remark |"]
        self.lines += ["|---|---|---|---|---|---|"]

    def row(self, quantity, ours, library, theirs, within=1e-9, why=""):
        """Compares; the difference is the largest one per unit of the largest number."""
        mine, other = (np.ravel(np.asarray(side, dtype=float)) for side in (ours, theirs))
        if mine.shape != other.shape:
            self.faults.append(f"{quantity}, {library}: {len(mine)} numbers and {len(other)}")
            return
        difference = float(np.max(np.abs(mine - other)) / np.max(np.abs(other)))
        is_near = difference <= within
        if not is_near and not why:
            self.faults.append(
                f"{quantity}, {library}: {mine[:6]} and {other[:6]} differ by {difference:.2e}"
            )
        if is_near and why:
            self.faults.append(f"{quantity}, {library}: explained, but differs by {difference:.1e}")
        self.write(quantity, shown(ours), library, shown(theirs), f"{difference:.1e}", why)

    def weights(self, quantity, ours, library, theirs, objective, within=1e-6, why=""):
        """Compares what portfolios achieve; weights are told, because optima may be flat."""
        mine, other = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
        apart = float(np.max(np.abs(mine - other)))
        told = f"weights within {apart:.0e}"
        note = f"{told}; {why}" if why else told
        values = objective(mine), objective(other)
        difference = abs(values[0] - values[1]) / abs(values[1])
        is_near = difference <= within
        if is_near == bool(why):
            self.faults.append(f"{quantity}, {library}: {values} differ by {difference:.2e}, {note}")
        self.write(quantity, *map(shown, values[:1]), library, shown(values[1]),
                   f"{difference:.1e}", note)

    def sampled(self, quantity, estimate, library, theirs):
        """Compares a simulated figure, in its standard errors; four are too many."""
        value, error = estimate
        errors = (value - theirs) / error
        if not abs(errors) <= 4.0:
            self.faults.append(f"{quantity}, {library}: {errors:.1f} standard errors")
        self.write(quantity, f"{value:.6g} +- {error:.1g}", library, shown(theirs),
                   f"{errors:+.1f} errors", "")

    def write(self, *cells):
        """Adds a line."""
        self.rows += 1
        self.lines.append("| " + " | ".join(cells) + " |")
