"""The broker, how it is reached and how fast a backlog goes to it."""

import re
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from edge_agent.domain.settings import SettingFault, one_of, require, within

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"(?=.{1,253}$)[\w-]{1,63}(?:\.[\w-]{1,63})*\.?")  # RFC 1035, section 2.3.4; \w: names may be IDN
_TOPIC = re.compile(r"[\w-]{1,64}(?:/[\w-]{1,64}){0,3}", re.ASCII)
_PORT_BEHIND = re.compile(r"[^:]+:\d+|\[.*\]:\d+")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """TLS with the server always verified; the client certificate's CN is the node's name."""

    ca_file: str | None = None  # None: the system's authorities
    cert_file: str | None = None
    key_file: str | None = None

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            missing = "key_file" if self.key_file is None else "cert_file"
            require(SettingFault(missing, None, "given together with its counterpart, or neither"))


@dataclass(frozen=True, slots=True)
class MqttSettings:
    host: str = "localhost"
    port: int = 1883
    version: str = "5"  # "3.1.1" for brokers that speak nothing newer
    username: str | None = None
    password_file: str | None = None  # the password is never in the configuration itself
    tls: TlsSettings | None = None
    insecure: bool = False  # True allows a plain connection to another machine, and says so in the status
    keepalive_s: int = 30
    backlog_per_s: float = 50.0  # messages of backlog a second; 0: as fast as the broker acknowledges
    backlog_records: int = 50  # records in one message of backlog
    discovery_prefix: str = "homeassistant"  # Home Assistant's topic of discoveries; "": tell it nothing
    embedded: bool = False  # start a broker in this process (extra `demo`), for a first look without one

    def __post_init__(self) -> None:
        is_elsewhere = self.embedded and self.host not in LOOPBACK
        wrong_host = _host(self.host)
        plain_abroad = self.tls is None and not self.insecure and not wrong_host and self.host not in LOOPBACK
        require(
            wrong_host,
            within("port", self.port, 1, 65535),
            one_of("version", self.version, ("5", "3.1.1")),
            within("keepalive_s", self.keepalive_s, 5, 3600, "s"),
            within("backlog_per_s", self.backlog_per_s, 0, 100_000, "messages/s"),
            within("backlog_records", self.backlog_records, 1, 1000),
            _prefix(self.discovery_prefix),
            SettingFault("host", self.host, "localhost, because embedded = true")
            if is_elsewhere and not wrong_host
            else None,
            SettingFault(
                "tls",
                None,
                f"a [mqtt.tls] table, because {self.host} is another machine (or insecure = true)",
            )
            if plain_abroad
            else None,
        )

    @property
    def protocol(self) -> str:
        """The version to begin with: the embedded broker knows nothing newer than 3.1.1."""
        return "3.1.1" if self.embedded else self.version


def _prefix(prefix: str) -> SettingFault | None:
    """
    >>> _prefix("homeassistant"), _prefix("")
    (None, None)
    >>> _prefix("home/#").right
    'a topic without wildcards, such as "homeassistant", or "" for none'
    """
    if not prefix or _TOPIC.fullmatch(prefix):
        return None
    return SettingFault(
        "discovery_prefix", prefix, 'a topic without wildcards, such as "homeassistant", or "" for none'
    )


def _host(host: str) -> SettingFault | None:
    """A name or an address, and nothing else.

    >>> _host("broker.example"), _host("fe80::1%eth0")
    (None, None)
    >>> _host("broker:8883").right
    'the name or address of the broker alone: the port has its own key'
    """
    with suppress(ValueError):
        ip_address(host)
        return None
    if _HOST.fullmatch(host):
        return None
    right = 'the name or address of the broker, such as "broker.example"'
    if "://" in host:
        right = "the name or address of the broker without a scheme: the port has its own key, TLS its table [mqtt.tls]"
    elif _PORT_BEHIND.fullmatch(host):
        right = "the name or address of the broker alone: the port has its own key"
    return SettingFault("host", host, right)
