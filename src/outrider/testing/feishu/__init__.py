"""A Feishu of one's own: bots, flows, apps and tokens over real HTTP, as strict and as forgetful as the real one.

Invariant: what it answers and what a person got are two things, and it knows both: a reply may be lost after a message was
posted, and a repeat may be hidden by its deduplication. Source: reference/feishu.md; spec/notification.md §14.
"""

from outrider.testing.feishu.app import App
from outrider.testing.feishu.bot import Bot
from outrider.testing.feishu.fake import FakeFeishu
from outrider.testing.feishu.flow import Flow
from outrider.testing.feishu.log import Call, Post
from outrider.testing.feishu.script import Fault, FaultKind
from outrider.testing.feishu.wire import Answer, Request

__all__ = ["Answer", "App", "Bot", "Call", "FakeFeishu", "Fault", "FaultKind", "Flow", "Post", "Request"]
