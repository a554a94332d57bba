"""Fault campaigns: real processes killed at random against real servers, and a verdict on what arrived.

Invariant: nothing is mocked and nothing is excused; every campaign prints its seed, and its figures as one JSON object.
"""
