"""The lines that the demo prints, in each locale.

Invariant: every line exists in every locale, with the same fields. Source: spec/scheduling.md ST-69.
"""

from collections.abc import Mapping
from typing import Final
from unicodedata import east_asian_width

from steward.domain.profile import Locale

LABEL_COLUMNS: Final = 12

LABELS: Final[Mapping[Locale, Mapping[str, str]]] = {
    "en": {
        "schema": "schema", "server": "server", "calendar": "calendar", "task": "task", "job": "job", "scan": "scan",
        "consume": "consume", "candidates": "candidates", "selection": "selection", "preview": "preview",
        "notify": "notify", "waiting": "waiting", "confirm": "confirm", "same key": "same key",
        "other body": "other body", "undo": "undo", "ledger": "ledger",
    },
    "zh-CN": {
        "schema": "表结构", "server": "服务", "calendar": "日历", "task": "任务", "job": "作业", "scan": "扫描",
        "consume": "消费", "candidates": "候选", "selection": "选择", "preview": "预览",
        "notify": "通知", "waiting": "等待", "confirm": "确认", "same key": "同键重发",
        "other body": "同键异文", "undo": "撤销", "ledger": "账目",
    },
}  # fmt: skip

TEXTS: Final[Mapping[Locale, Mapping[str, str]]] = {
    "en": {
        "title": "{day} {zone}, data in {folder}",
        "schema": "{database}, at head",
        "server": "{url}, broker {broker}, {processes}",
        "calendar": "{file}: {busy} busy, {not_busy} not busy, {refused} refused; by hand: {blocks} blocks",
        "refused": "refused {uid}: {reason}",
        "unreadable": "{file}: {reason}",
        "task": '{task_id} "{title}" {minutes} min, due {due}, urgent in {seconds} s',
        "job": "{job_id} {status}, written with the task",
        "scan": "due: {trigger_id} + {messages}, one transaction",
        "consume": '{done} of {expected}, slowest {slowest} ms after the commit; "{title}" is now group {group}',
        "selection": "{method}, source {source}",
        "preview": "{preview_id} {status} for {minutes} min; notification.requested, one transaction",
        "notify": "{channels}: {summary}",
        "waiting": "{url}   open it and tap Confirm",
        "confirm": "{status} applied {apply_id}: {added} added, {moved} moved; schedule.apply.succeeded, one transaction",
        "same key": "{status} stored answer, Idempotency-Replayed",
        "other body": "{status} {code}, nothing written",
        "undo": "{status} calendar as before; schedule.apply.undone, one transaction",
        "ledger": (
            "steward: {messages} messages, {receipts} of {expected} expected receipts; "
            "notification: {ended} messages, 0 expected; {waiting} waiting, {dead} dead"
        ),
        "one process": "1 process",
        "processes": "{count} processes",
        "sent": "{channel} {state}",
        "move": '"{title}" {before} -> {after}',
        "shrinks": "{given} of {wanted} min",
        "nothing": "nothing can be applied: {why}",
        "changed": "the preview is now {status}",
        "differs": "differs: {what}",
    },
    "zh-CN": {
        "title": "{day} {zone}，数据在 {folder}",
        "schema": "{database}，已是最新",
        "server": "{url}，消息通道 {broker}，{processes}",
        "calendar": "{file}：占用 {busy} 项，不占用 {not_busy} 项，拒绝 {refused} 项；手动安排 {blocks} 项",
        "refused": "已拒绝 {uid}：{reason}",
        "unreadable": "{file}：{reason}",
        "task": "{task_id} “{title}” {minutes} 分钟，截止 {due}，{seconds} 秒后变为紧急",
        "job": "{job_id} {status}，与任务一同写入",
        "scan": "到期：{trigger_id} + {messages}，同一事务",
        "consume": "{expected} 条中已处理 {done} 条，提交后最慢 {slowest} 毫秒；“{title}”现为第 {group} 组",
        "selection": "{method}，来源 {source}",
        "preview": "{preview_id} {status}，{minutes} 分钟内有效；notification.requested，同一事务",
        "notify": "{channels}：{summary}",
        "waiting": "{url}   打开并点击“确认”",
        "confirm": "{status} 已应用 {apply_id}：新增 {added} 项，移动 {moved} 项；schedule.apply.succeeded，同一事务",
        "same key": "{status} 返回已存答复，Idempotency-Replayed",
        "other body": "{status} {code}，未写入任何内容",
        "undo": "{status} 日历恢复原样；schedule.apply.undone，同一事务",
        "ledger": (
            "steward：{messages} 条消息，应有回执 {expected} 条，已有 {receipts} 条；"
            "notification：{ended} 条消息，应有 0 条；等待 {waiting} 条，失效 {dead} 条"
        ),
        "one process": "1 个进程",
        "processes": "{count} 个进程",
        "sent": "{channel} {state}",
        "move": "“{title}” {before} -> {after}",
        "shrinks": "{wanted} 分钟中的 {given} 分钟",
        "nothing": "没有可应用的方案：{why}",
        "changed": "预览现为 {status}",
        "differs": "与预期不符：{what}",
    },
}


def line(locale: Locale, number: int, label: str, text: str) -> str:
    """One numbered line."""
    return f"{number:>2} {_padded(LABELS[locale][label])}{text}"


def more_line(text: str) -> str:
    """What belongs to the line above."""
    return " " * (LABEL_COLUMNS + 3) + text


def said(locale: Locale, key: str, **fields: object) -> str:
    """One of the texts."""
    return TEXTS[locale][key].format(**fields)


def title_line(locale: Locale, **fields: object) -> str:
    """The first line."""
    return "steward demo   " + said(locale, "title", **fields)


def _padded(label: str) -> str:
    """To the columns that a terminal needs: wide characters take two."""
    columns = sum(2 if east_asian_width(one) in "WF" else 1 for one in label)
    return label + " " * max(1, LABEL_COLUMNS - columns)
