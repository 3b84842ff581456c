"""dhess against its peers: ratios from one run, by `python -m tests.benchmarks`."""
