"""Frozen content: its text in a row, its hash, and the provider's key. Source: spec/notification.md NT-8, NT-21."""

from base64 import b32encode
from hashlib import sha256
from json import loads
from typing import Final
from uuid import UUID

from outrider.core.canonical import canonical_json
from outrider.core.notification.content import Payload
from outrider.core.notification.traits import Form

PREFIX: Final = "nk1"
KEY_LENGTH: Final = 40


def freeze(payload: Payload, title: str) -> tuple[str, bytes]:
    """What a row keeps of a payload, and its 32 bytes of hash: the same for the same content, other for another."""
    said = canonical_json({"form": payload.form, "body": payload.body, "text": payload.text, "title": title})
    return said.decode(), sha256(said).digest()


def thaw(content_json: str) -> tuple[Payload, str]:
    """The payload and the title that `freeze` wrote."""
    said = loads(content_json)
    return Payload(Form(said["form"]), said["body"], said["text"]), said["title"]


def provider_key(record_id: UUID, generation: int, content_hash: bytes) -> str:
    """The key of one content of one generation: the same over all its retries, at most 40 characters."""
    digest = sha256(canonical_json([str(record_id), generation, content_hash.hex()])).digest()
    return (PREFIX + b32encode(digest).decode().lower())[:KEY_LENGTH]
