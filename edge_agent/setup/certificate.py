"""What a certificate says of itself: until when, for whom. The fields of X.509 (RFC 5280, 4.1) that matter here."""

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SOON_DAYS = 30
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_COMMON_NAME = bytes.fromhex("550403")  # 2.5.4.3
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")  # 2.5.29.17
_SEQUENCE, _OID, _UTC_TIME, _TIME, _VERSION, _EXTENSIONS = 0x30, 0x06, 0x17, 0x18, 0xA0, 0xA3
_DNS, _ADDRESS = 0x82, 0x87


class NotACertificate(ValueError):
    pass


@dataclass(frozen=True, slots=True)
class Certificate:
    begins: datetime
    ends: datetime
    common_name: str
    names: tuple[str, ...] = ()  # for which a server may use it; () of an old one: its common name

    def days_left(self, now: datetime) -> float:
        return (self.ends - now).total_seconds() / 86_400

    @property
    def names_words(self) -> str:
        return ", ".join(self.names or (self.common_name,))


def in_file(path: Path) -> list[Certificate]:
    """Raises OSError, NotACertificate."""
    found = [decode(ssl.PEM_cert_to_DER_cert(pem)) for pem in _PEM.findall(path.read_text("ascii", errors="replace"))]
    if not found:
        raise NotACertificate(f"{path}: has no certificate in PEM (-----BEGIN CERTIFICATE-----)")
    return found


def decode(der: bytes) -> Certificate:
    """Raises NotACertificate."""
    try:
        return _decoded(der)
    except (IndexError, ValueError, StopIteration) as error:
        raise NotACertificate(f"not an X.509 certificate: {error}") from error


def _decoded(der: bytes) -> Certificate:
    _, whole, _ = _item(der)
    _, signed, _ = _item(whole)
    fields = [each for each in _items(signed) if each[0] != _VERSION]
    _serial, _algorithm, _issuer, validity, subject, *_rest = (value for _, value in fields)
    begins, ends = (_time(tag, value) for tag, value in _items(validity))
    extensions = next((value for tag, value in fields if tag == _EXTENSIONS), b"")
    return Certificate(begins, ends, _common_name(subject), tuple(_names(extensions)))


def _item(der: bytes) -> tuple[int, bytes, bytes]:
    """Tag, value, what follows (X.690, 8.1)."""
    tag, length, at = der[0], der[1], 2
    if length & 0x80:
        at += length & 0x7F
        length = int.from_bytes(der[2:at], "big")
    if at + length > len(der):
        raise ValueError("it is cut short")
    return tag, der[at : at + length], der[at + length :]


def _items(value: bytes) -> Iterator[tuple[int, bytes]]:
    while value:
        tag, inner, value = _item(value)
        yield tag, inner


def _time(tag: int, value: bytes) -> datetime:
    """RFC 5280, 4.1.2.5: two digits of the year mean 1950 to 2049."""
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    elif tag != _TIME:
        raise ValueError(f"tag 0x{tag:02x} is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _common_name(subject: bytes) -> str:
    for _, relative in _items(subject):
        for _, pair in _items(relative):
            (_, kind), (_, value) = _items(pair)
            if kind == _COMMON_NAME:
                return value.decode("utf-8", "replace")
    return ""


def _names(extensions: bytes) -> Iterator[str]:
    if not extensions:
        return
    _, listed, _ = _item(extensions)
    for _, extension in _items(listed):
        parts = list(_items(extension))
        if parts[0] == (_OID, _SUBJECT_ALT_NAME):
            _, names, _ = _item(parts[-1][1])
            for tag, value in _items(names):
                if tag == _DNS:
                    yield value.decode("ascii", "replace")
                elif tag == _ADDRESS:
                    yield ".".join(map(str, value)) if len(value) == 4 else value.hex(":", 2)
