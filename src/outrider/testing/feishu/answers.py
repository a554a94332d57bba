"""Feishu's answers, word for word where they are known. Source: reference/feishu.md.

Invariant: a table of data, written from the reference and not from our channels' tables: it is what those are tested against.
"""

from typing import Any, Final

from outrider.testing.feishu.wire import Answer, json_answer

BOT_OK: Final = {"code": 0, "msg": "success", "data": {}, "Extra": None, "StatusCode": 0, "StatusMessage": "success"}
BOT: Final[dict[int, str]] = {
    2200: "internal error",
    9499: "Bad Request",
    11232: "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]",
    11310: "card content invalid",
    19001: "param invalid: incoming webhook access token invalid",
    19002: "params error, msg_type need",
    19007: "Bot Not Enabled",
    19021: "sign match fail or timestamp is not within one hour from current time",
    19022: "Ip Not Allowed",
    19024: "Key Words Not Found",
    200621: "Failed to create card content, ext=ErrCode: 200621; ErrMsg: parse card json err",
    200861: "Failed to create card content, ext=ErrCode: 200861; ErrMsg: cards of schema V2 no longer support this",
}
"""Of the bot webhook: HTTP 200, the code in the body."""

APP: Final[dict[int, tuple[int, str]]] = {
    10014: (200, "app secret invalid"),
    11232: (400, "create message service trigger rate limit"),
    99991400: (429, "request trigger frequency limit"),
    99991543: (400, "app id or app secret is invalid"),
    99991661: (400, "Missing access token for authorization"),
    99991662: (400, "app is not in use"),
    99991663: (400, "Invalid access token for authorization"),
    99991668: (400, "Invalid access token for authorization. Please make a test attempt"),
    99991671: (400, "Invalid access token: it must start with t- or u-"),
    99991672: (400, "Access denied. One of the following scopes is required: [im:message]"),
    99991673: (400, "app is not installed in this tenant"),
    99991676: (400, "token has no permission"),
    99991677: (400, "access token expired"),
    99991679: (400, "user has not authorised this scope"),
    230001: (400, "Your request contains an invalid request parameter."),
    230002: (400, "The bot can not be outside the group."),
    230006: (400, "Bot ability is not activated."),
    230013: (400, "Bot has NO availability to this user."),
    230015: (400, "P2P chat can not be shared."),
    230017: (400, "Bot is not the owner of the resource."),
    230018: (400, "These operations are NOT allowed at current group settings."),
    230019: (400, "The topic does NOT exist."),
    230020: (400, "This operation triggers the frequency limit."),
    230022: (400, "The content of the message contains sensitive information."),
    230025: (400, "The length of the message content reaches its limit."),
    230027: (400, "Lack of necessary permissions."),
    230028: (400, "The messages do NOT pass the audit."),
    230029: (400, "User has resigned."),
    230034: (400, "The receive_id is invalid."),
    230035: (400, "Send Message Permission deny."),
    230036: (400, "Tenant crypt key has been deleted."),
    230038: (400, "Cross tenant p2p chat operate forbid."),
    230049: (400, "The message is being sent."),
    230053: (400, "The user has stopped the bot from sending messages."),
    230054: (400, "This message type is not supported in this chat."),
    230055: (400, "The type of file upload does not match the type of message."),
    230075: (400, "Unable to send encrypted messages in secret chat."),
    230099: (400, "Failed to create card content, ext=ErrCode: 200621; ErrMsg: parse card json err"),
    232009: (400, "Your request specifies a chat which has already been dissolved."),
}
"""Of the app API: HTTP status and message by code."""


def bot_answer(code: int = 0, message: str | None = None, *, twins: int | None = None) -> Answer:
    """A bot's answer of this code. `twins`: the `StatusCode` beside it, which may say 0 of a refusal."""
    if code == 0:
        return json_answer(BOT_OK)
    said: dict[str, Any] = {"code": code, "msg": message or BOT[code], "data": {}}
    if twins is not None:
        said |= {"StatusCode": twins, "StatusMessage": "success" if twins == 0 else said["msg"]}
    return json_answer(said)


def app_answer(code: int, message: str | None = None, *, wait_seconds: int | None = None) -> Answer:
    """The app API's refusal of this code, with the headers of a limit where `wait_seconds` is given."""
    status, words = APP[code]
    headers = {"X-Tt-Logid": f"log-{code}"}
    if wait_seconds is not None:
        headers |= {"x-ogw-ratelimit-limit": "1000", "x-ogw-ratelimit-reset": str(wait_seconds)}
    return json_answer({"code": code, "msg": message or words, "error": {"log_id": f"log-{code}"}}, status, headers)


def card_refused(error_code: int) -> Answer:
    """The app API's refusal of a card for this reason: 230099 is its envelope."""
    return app_answer(230099, f"Failed to create card content, ext=ErrCode: {error_code}; ErrMsg: no reason; ")
