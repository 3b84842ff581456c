"""Compiled loops over plain arrays: no labels, no configuration, no input or output."""
