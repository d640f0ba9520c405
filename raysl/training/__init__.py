"""Pretraining: the loop and what surrounds it; plain PyTorch, on one rank or many."""
