"""Pictures of lineage answers.

`svg` is all that others need. An answer becomes a plan (boxes with rows, lines), the plan a layout (layers, order,
heights), and both together one SVG.
"""

from catalog.pictures.plan import JobNames
from catalog.pictures.svg import svg

__all__ = ["JobNames", "svg"]
