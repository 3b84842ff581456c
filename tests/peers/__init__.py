"""Published facts from the test sets and issues of other projects, run through dhess.

One module per peer holds the figures: the input as their test has it, the numbers they publish, and
where these numbers stand. `fact` says what a row is, and `test_peers` runs every row and prints the
table. Facts and figures only; the code is ours.
"""
