"""Projections: what is made of the frame log, each with an own cursor, restartable and rebuildable."""

from cloud_api.projections.book import Book
from cloud_api.projections.progress import Place, Progress
from cloud_api.projections.runner import OpenFrame, Projection, rebuild, run_projection

__all__ = ["Book", "OpenFrame", "Place", "Progress", "Projection", "rebuild", "run_projection"]
