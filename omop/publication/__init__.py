"""OMOP and its views on PostgreSQL: published whole, swapped in at once."""

from omop.publication.publish import Published, publish
from omop.publication.views import install_views

__all__ = ["Published", "install_views", "publish"]
