"""Lineage Catalog: one log of what happened to data and models, and a graph one can ask about it."""

__version__ = "0.1.0"
