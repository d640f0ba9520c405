"""Pretext tasks of a laboratory that is no part of raysl."""
