"""Fills a database apart from who measures: its previews with all that a page and a confirm need, then the process ends.

Arguments: `database`, `persons`, `tasks`, `suggest`. Answers with `previews`: id, token of its page, bearer token, base
version and candidate; none where nothing is to be suggested.
"""

import asyncio
import json
import sys
from typing import Any

from benchmarks.suggestions import caller, confirm, fill, steward, suggest


async def main(given: dict[str, Any]) -> dict[str, Any]:
    """Fill."""
    made = steward(given["database"])
    try:
        await fill(made, given["persons"], given["tasks"])
        found = await suggest(made, given["persons"]) if given["suggest"] else []
        previews = []
        for preview in found:
            who = caller(preview.user_id)
            link = await made.links.make(who, preview.preview_id, {"purpose": "act"})
            token = await made.tokens.make(who.user_id, "bench", who.scopes)
            previews.append(
                {"id": preview.preview_id, "page": link.body["path"], "token": token["token"], **confirm(preview)}
            )
        return {"previews": previews}
    finally:
        await made.close()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))), flush=True)
