"""Certificates of an authority of one's own, by the `openssl` program: for servers and clients of a test."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from outrider.testing.services.processes import ServerFailed, ServerMissing

DAYS = 30
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its private key, as PEM files of their own, and both in one file `chain`."""

    cert: Path
    key: Path
    chain: Path


class Authority:
    """Signs certificates; `ca` is the file that those who shall trust it are given. Raises ServerMissing without openssl."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        if shutil.which("openssl") is None:
            raise ServerMissing("openssl is not installed; ./run services installs it")
        self._folder = folder
        self.ca = folder / f"{name}.ca.crt"
        self._key = folder / f"{name}.ca.key"
        _openssl("req", "-x509", *NEW_KEY, "-days", str(DAYS), "-subj", f"/CN={name}", "-keyout", str(self._key),
                 "-out", str(self.ca))  # fmt: skip

    def issue(self, name: str, hosts: Sequence[str] = (), *, days: int = DAYS) -> Certificate:
        """Sign a certificate for `name` (a client's user) and `hosts`, DNS names or addresses (of a server).

        It has expired where `days` is negative.
        """
        made = Certificate(*(self._folder / f"{name}.{kind}" for kind in ("crt", "key", "pem")))
        names = ",".join(f"{'IP' if host[0].isdigit() else 'DNS'}:{host}" for host in hosts or (name,))
        asked = made.cert.with_suffix(".csr")
        _openssl("req", *NEW_KEY, "-new", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
                 "-keyout", str(made.key), "-out", str(asked))  # fmt: skip
        _openssl("x509", "-req", "-in", str(asked), "-CA", str(self.ca), "-CAkey", str(self._key), "-days", str(days),
                 "-copy_extensions", "copyall", "-out", str(made.cert))  # fmt: skip
        made.chain.touch(mode=0o600)
        made.chain.write_bytes(made.key.read_bytes() + made.cert.read_bytes())
        return made


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerFailed(f"openssl {' '.join(arguments)}: {done.stderr}")
