"""A certificate authority of a test's own, and the certificates that it signs: by the program openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["Authority"]

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """Signs for two days. Its own certificate is what clients are told to trust."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        subject = ("-subj", f"/CN={name}", "-days", "2", "-addext", "basicConstraints=critical,CA:TRUE")
        _openssl("req", "-x509", *_KEY, "-keyout", self._key, "-out", self.certificate, *subject)

    def sign(self, name: str) -> tuple[bytes, bytes]:
        """A certificate for a host, such as IP:127.0.0.1 or DNS:db.example, and its key."""
        request, key, signed = (self._folder / f"{self._name}-server.{ending}" for ending in ("csr", "key", "crt"))
        names = self._folder / "names"
        names.write_text(f"subjectAltName={name}\n", encoding="ascii")
        _openssl("req", "-new", *_KEY, "-keyout", key, "-out", request, "-subj", "/CN=server")
        signing = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-days", "2", "-extfile", names)
        _openssl("x509", "-req", "-in", request, "-out", signed, *signing)
        return signed.read_bytes(), key.read_bytes()


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(("openssl", *map(str, arguments)), check=True, capture_output=True, timeout=60)
