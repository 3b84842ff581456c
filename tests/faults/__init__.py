"""Jobs under fire: processes are killed at drawn moments, and the answer stays the same.

`python -m tests.faults --runs 50` draws and prints its seed; `--seed N` repeats a run.
"""
