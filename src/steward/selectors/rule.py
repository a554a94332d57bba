"""The default: the lowest cost, in the template's words. Source: spec/scheduling.md ST-35."""

from steward.domain.selection import Selection, select_by_rule
from steward.ports.selector import SelectionRequest


class RuleSelector:
    """`ports.selector.CandidateSelector` without a model."""

    async def select(self, request: SelectionRequest) -> Selection:
        """The candidate of the lowest cost."""
        return select_by_rule(request.candidates)
