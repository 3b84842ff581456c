"""The gateway: takes in jobs over HTTP, runs them one after the other, and shows how far they are.

Its process computes nothing and opens no data itself: children do, which may die without it.
"""
