"""Who chooses among candidates: the rule, or a language model behind limits (`ports.selector.CandidateSelector`).

Invariant: whatever a model says or fails to say, the selection is one of the candidates. Source: ST-35, ST-37, ST-38.
"""
