"""Losses as pure functions of embeddings, and what they share."""
