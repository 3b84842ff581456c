"""Compiled loops over plain arrays: no labels, no configuration, no input or output.

numba checks for a changed source file before it takes a function from its cache, but not for
changes in files whose functions are compiled in. After an edit, clear ``dhess/kernels/__pycache__``.
"""
