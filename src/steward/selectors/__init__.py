"""Who chooses among candidates, and who reads replies: the rule, or a language model behind limits.

Invariant: whatever a model says or fails to say, what is selected is one of the candidates, and what is meant one of the
listed blocks or none. Source: spec/scheduling.md ST-35, ST-37, ST-38, ST-52.
"""
