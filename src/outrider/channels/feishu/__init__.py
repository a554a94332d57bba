"""Feishu and Lark: the custom bot's webhook, the flow webhook, and the app's bot.

Invariant: what an answer means is looked up by its code and its words in tables that are data; a refusal under HTTP 200 is a
refusal, and a lost answer is neither. No credential goes to a host that is not Feishu's own. Source: reference/feishu.md;
spec/notification.md §8, NT-50, NT-51.
"""

from outrider.channels.feishu.app import AppConfig, FeishuAppChannel
from outrider.channels.feishu.bot import FeishuBotChannel
from outrider.channels.feishu.flow import FeishuFlowChannel, FlowConfig

__all__ = ["AppConfig", "FeishuAppChannel", "FeishuBotChannel", "FeishuFlowChannel", "FlowConfig"]
