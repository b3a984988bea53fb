"""Mappings: other people's tables into events."""

from monitor.mapping.load import load_mapping
from monitor.mapping.model import MappingDocument, columns_of, mapping_schema
from monitor.mapping.rows import UNREADABLE, Mapped, mapped

__all__ = ["UNREADABLE", "Mapped", "MappingDocument", "columns_of", "load_mapping", "mapped", "mapping_schema"]
