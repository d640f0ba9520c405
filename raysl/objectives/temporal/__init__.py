"""Losses over the clips of one video in time, one file each."""
