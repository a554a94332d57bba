"""Cutting a connection from another thread, so that whatever uses it fails at once and its transaction cannot commit."""

import os
import socket
from contextlib import suppress


def sever(file_descriptor: int) -> None:
    """Shut the socket of this descriptor down, both ways. The descriptor itself stays open, and its owner's.

    Safe while another thread reads or writes it. Never raises. Source: shutdown(2).
    """
    with suppress(OSError, ValueError):
        duplicate = socket.socket(fileno=os.dup(file_descriptor))
        try:
            duplicate.shutdown(socket.SHUT_RDWR)
        finally:
            duplicate.close()
