"""The papers' tables and settings as package data: every number with its origin, and typed nowhere else."""

from raysl.published.match import Match, match
from raysl.published.records import Architecture, Cell, Paper, PublishedTable, Value
from raysl.published.settings import Setting, Variant, differences, recipe_settings, setting_recipes, setting_variants
from raysl.published.tables import architecture, architectures, paper, papers, published_table, published_tables
from raysl.published.uncovered import Uncovered, uncovered

__all__ = [
    "Architecture",
    "Cell",
    "Match",
    "Paper",
    "PublishedTable",
    "Setting",
    "Uncovered",
    "Value",
    "Variant",
    "architecture",
    "architectures",
    "differences",
    "match",
    "paper",
    "papers",
    "published_table",
    "published_tables",
    "recipe_settings",
    "setting_recipes",
    "setting_variants",
    "uncovered",
]
