"""The way to the broker, step by step: name, port, TLS, certificates, CONNECT, and a command to ourselves and back."""

import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from edge_agent.mqtt import messages
from edge_agent.mqtt.connection import explain, make_client, tls_context
from edge_agent.mqtt.messages import Identity
from edge_agent.mqtt.settings import LOOPBACK, MqttSettings, TlsSettings
from edge_agent.mqtt.wire import UNSUPPORTED_VERSION, reason_text
from edge_agent.setup.certificate import SOON_DAYS, Certificate, NotACertificate, decode, in_file
from edge_agent.setup.finding import Finding, fail, ok, warn
from edge_agent.setup.machine_check import NO_CLOCK_BEFORE

PATIENCE_S = 5.0
ALERT_S = 0.5  # a server of TLS 1.3 says only after the handshake that it does not want our certificate
# OpenSSL, x509_vfy.h
_NOT_YET_VALID, _EXPIRED, _HOSTNAME, _ADDRESS = 9, 10, 62, 64
_UNKNOWN_ISSUER = (2, 18, 19, 20, 21)
_BAD_PASSWORD, _NOT_AUTHORISED = (0x86, 0x04), (0x87, 0x05)  # MQTT 5, and 3.1.1


@dataclass(frozen=True, slots=True)
class Time:
    """What this machine takes for the time, and how far that is to be trusted."""

    now: datetime
    is_synchronised: bool

    @property
    def is_doubtful(self) -> bool:
        return self.now < NO_CLOCK_BEFORE or not self.is_synchronised


def reach(settings: MqttSettings, at: Time) -> Iterator[Finding]:
    """Name, port and TLS. Says nothing to the broker, so a running agent's session is left alone."""
    place = f"{settings.host}:{settings.port}"
    try:
        with socket.create_connection((settings.host, settings.port), PATIENCE_S) as plain:
            yield ok("broker", f"{place} takes connections")
            if settings.tls is None and settings.host not in LOOPBACK:
                cure = "a [mqtt.tls] table, and the port for it (8883)"
                yield warn("tls", f"the connection to {settings.host} is not encrypted (insecure = true)", cure)
            if settings.tls is not None:
                yield from _tls(settings, settings.tls, plain, at)
    except OSError as error:
        yield fail("broker", explain(error, settings), _cure_of_reaching(error, settings))


def _cure_of_reaching(error: OSError, settings: MqttSettings) -> str:
    if isinstance(error, socket.gaierror) and settings.host == "localhost":
        return 'add the line "127.0.0.1 localhost" to /etc/hosts'
    if isinstance(error, socket.gaierror):
        return f"see mqtt.host, and whether the network's name server knows it: `getent hosts {settings.host}`"
    if isinstance(error, ConnectionRefusedError):
        here = "`sudo systemctl start mosquitto` (installed by `sudo apt install mosquitto`)"
        return here if settings.host in LOOPBACK else "start the broker there; see mqtt.port and its firewall"
    return f"see the network: `ip route`, `ping {settings.host}`; a firewall in between may drop the port"


def _tls(settings: MqttSettings, tls: TlsSettings, plain: socket.socket, at: Time) -> Iterator[Finding]:
    try:
        context = tls_context(tls)
    except OSError as error:
        yield fail("tls", str(error), "put the file there, readable by the agent's user; key and certificate as a pair")
        return
    try:
        with context.wrap_socket(plain, server_hostname=settings.host) as wrapped:
            server = decode(wrapped.getpeercert(binary_form=True) or b"")
            _hear_alert(wrapped)
            words = f"{wrapped.version()} to {settings.host}, its certificate is accepted"
            yield ok("tls", words)
            yield _days(f"the broker's certificate ({server.names_words})", server, at)
    except ssl.SSLCertVerificationError as error:
        yield _refused_by_us(error, settings, tls, at)
    except ssl.SSLError as error:
        yield _refused_by_them((error.reason or str(error)).replace("_", " ").lower(), settings, tls)
    except ConnectionError:
        words = f"no TLS with {settings.host}:{settings.port}: it hangs up"
        yield fail("tls", words, "is it the port for TLS (8883)? It may also want a client certificate")
    except NotACertificate as error:
        yield fail("tls", f"the broker's certificate cannot be read: {error}", "another certificate for the broker")


def _hear_alert(wrapped: ssl.SSLSocket) -> None:
    wrapped.settimeout(ALERT_S)
    try:
        wrapped.recv(1)
    except TimeoutError:
        return  # it waits for our CONNECT: content


def _refused_by_us(
    error: ssl.SSLCertVerificationError, settings: MqttSettings, tls: TlsSettings, at: Time
) -> Finding:  # fmt: skip
    server, code = _of_server(settings), error.verify_code
    if code == _NOT_YET_VALID:
        return not_yet_valid("the broker's certificate, or its authority's,", server, at)
    if code == _EXPIRED:
        return expired("the broker's certificate, or its authority's,", server, at)
    if code in (_HOSTNAME, _ADDRESS):
        named = server.names_words if server is not None else "another name"
        cure = f"write mqtt.host as the certificate has it, or have one made for {settings.host}"
        return fail("tls", f"the broker's certificate is for {named}, and mqtt.host is {settings.host}", cure)
    trusted = tls.ca_file or "the system's authorities"
    if code in _UNKNOWN_ISSUER:
        cure = "mqtt.tls.ca_file: the certificate of the authority that signed the broker's (not the broker's own key)"
        return fail("tls", f"the broker's certificate is signed by nobody in {trusted}: {error.verify_message}", cure)
    return fail("tls", explain(error, settings), f"see the broker's certificate and {trusted}")


def not_yet_valid(what: str, found: Certificate | None, at: Time) -> Finding:
    """Of a machine without a battery clock this is nearly always the clock."""
    begins = f" before {found.begins:%Y-%m-%d %H:%M} UTC" if found is not None and found.begins > at.now else ""
    words = f"{what} is not valid yet{begins}"
    if at.is_doubtful:
        cure = "set the clock first: a network with a time server (`timedatectl`), or a clock module; then ask again"
        return fail("tls", f"{words}; the cause is the clock of this machine, which says {at.now:%Y-%m-%d %H:%M}", cure)
    return fail(
        "tls", f"{words}, and the clock of this machine is right", "see the clock of whoever made it; a new one"
    )


def expired(what: str, found: Certificate | None, at: Time) -> Finding:
    ended = f" on {found.ends:%Y-%m-%d}" if found is not None and found.ends < at.now else ""
    words = f"{what} has expired{ended}"
    if at.now >= NO_CLOCK_BEFORE and not at.is_synchronised:
        words += f" (if this machine's clock is right: it says {at.now:%Y-%m-%d}, and no time server has confirmed it)"
    return fail("tls", words, "a new certificate from whoever made this one; then restart what uses it")


def _refused_by_them(why: str, settings: MqttSettings, tls: TlsSettings) -> Finding:
    if tls.cert_file is None:
        words = f"the broker ends the handshake ({why}): it wants a client certificate"
        return fail("tls", words, "mqtt.tls.cert_file and key_file: have one made for this node")
    if "alert" in why:
        cure = f"see the dates and the name of {tls.cert_file} below, and that the broker trusts who signed it"
        return fail("tls", f"the broker refuses this node's certificate ({why})", cure)
    return fail("tls", f"no TLS with {settings.host}:{settings.port} ({why})", "is it the port for TLS (8883)?")


def _of_server(settings: MqttSettings) -> Certificate | None:
    """To name what was refused; nothing is sent over this connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((settings.host, settings.port), PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname=settings.host) as wrapped,
        ):
            return decode(wrapped.getpeercert(binary_form=True) or b"")
    except (OSError, NotACertificate):
        return None


# --- files ------------------------------------------------------------------------------------------------------------


def certificates(tls: TlsSettings, node: str, at: Time) -> Iterator[Finding]:
    """The files this node has: until when, and for whom."""
    for key, name in (("ca_file", tls.ca_file), ("cert_file", tls.cert_file)):
        if name is None:
            continue
        try:
            found = in_file(Path(name))
        except (OSError, NotACertificate) as error:
            yield fail(
                "certificate", f"mqtt.tls.{key}: {error}", "put the PEM file there, readable by the agent's user"
            )
            continue
        for certificate in found:
            yield _days(f"{name} ({certificate.common_name})", certificate, at)
        if key == "cert_file" and found[0].common_name != node:
            words = f"{name} is for {found[0].common_name!r}, and this node is {node!r}"
            cure = "have one made with the node's name as CN: a broker's access rules go by it"
            yield warn("certificate", words, cure)


def _days(what: str, found: Certificate, at: Time) -> Finding:
    if at.now < found.begins:
        return not_yet_valid(what, found, at)
    if at.now > found.ends:
        return expired(what, found, at)
    days = found.days_left(at.now)
    words = f"{what}: {days:.0f} days left (until {found.ends:%Y-%m-%d})"
    return ok("certificate", words) if days >= SOON_DAYS else warn("certificate", words, "have a new one made now")


# --- MQTT -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Heard:
    connack: int | None = None
    puback: int | None = None
    is_back: bool = False
    is_gone: bool = False


def loop_back(settings: MqttSettings, site: str, node: str) -> Iterator[Finding]:
    """CONNECT as the node, and a ping to ourselves: it proves password, access rules and the way of commands.

    Never while the agent runs: the broker would end the agent's session for ours.
    """
    identity = Identity(site, node, "doctor")
    heard = _Heard()
    try:
        client = make_client(settings, node, settings.protocol)
        nonce = messages.ping(identity, secrets.token_hex(8))
        _wire(client, heard, nonce.payload)
        client.connect(settings.host, settings.port, 30)
    except (OSError, ValueError) as error:
        yield fail("broker", explain(error, settings), "see above")
        return
    try:
        _turn(client, heard, lambda: heard.connack is not None)
        wrong = _of_connack(heard, settings)
        if wrong is not None:
            yield wrong
            return
        yield ok("broker", f"it lets {settings.username or node} in, MQTT {settings.protocol}")
        client.subscribe(identity.topic("cmd/+"), 1)
        client.publish(nonce.topic, nonce.payload, nonce.qos)
        _turn(client, heard, lambda: heard.is_back or (heard.puback or 0) >= 0x80)
        yield _of_ping(heard, nonce.topic)
    finally:
        client.disconnect()
        client.loop_write()
        sock: Any = client.socket()
        if sock is not None:
            sock.close()


def _wire(client: Any, heard: _Heard, payload: bytes) -> None:
    def on_connect(_client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        heard.connack = reason.value if reason.is_failure else 0

    def on_publish(_client: Any, _userdata: Any, _mid: int, reason: Any, _properties: Any) -> None:
        heard.puback = reason.value

    def on_message(_client: Any, _userdata: Any, message: Any) -> None:
        heard.is_back = heard.is_back or message.payload == payload

    def on_disconnect(_client: Any, _userdata: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        heard.is_gone = True

    client.on_connect, client.on_publish = on_connect, on_publish
    client.on_message, client.on_disconnect = on_message, on_disconnect


def _turn(client: Any, heard: _Heard, is_over: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_over() and not heard.is_gone and time.monotonic() < deadline:
        client.loop(0.1)


def _of_connack(heard: _Heard, settings: MqttSettings) -> Finding | None:
    code = heard.connack
    if code == 0:
        return None
    if code is None:
        cure = 'version = "3.1.1" in [mqtt], if the broker is an old one; else see its log'
        return fail("broker", f"{settings.host}:{settings.port} takes the connection and does not answer CONNECT", cure)
    who = f"user {settings.username!r}" if settings.username else "a client without user name"
    if code in _BAD_PASSWORD or code in _NOT_AUTHORISED:
        cure = "mqtt.username and mqtt.password_file; on Mosquitto: `sudo mosquitto_passwd /etc/mosquitto/passwd USER`"
        return fail("broker", f"the broker does not let {who} in: {reason_text(code)}", cure)
    if code == UNSUPPORTED_VERSION:
        return fail("broker", "the broker knows no MQTT 5", 'version = "3.1.1" in [mqtt]')
    return fail("broker", f"the broker refuses {who}: {reason_text(code)}", "see the broker's log")


def _of_ping(heard: _Heard, topic: str) -> Finding:
    if heard.is_back:
        return ok("broker", "a command sent to this node came back: access rules and the way of commands are right")
    cure = f"the broker's access rules: this node must be allowed to write {topic} and to read {topic[:-4]}#"
    if (heard.puback or 0) >= 0x80:
        return fail("broker", f"the broker refuses to publish {topic}: {reason_text(heard.puback or 0)}", cure)
    return fail("broker", f"a command sent to {topic} did not come back, though nothing was refused", cure)
