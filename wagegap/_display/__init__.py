"""Strings and axes: a table's specification and its renderers, primitives of figures. Knows no model."""
