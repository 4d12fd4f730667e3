"""The one connection to the broker, over paho-mqtt: birth and death of links, back-off, TLS, will, commands in.

All of paho runs on one thread of ours, made in ``start``, over its external-loop functions: its own thread cannot
be ended while a frozen broker owes it an acknowledgement, and it retries a refused protocol version for ever.
"""

import logging
import os
import random
import secrets
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from paho.mqtt.client import MQTT_ERR_NO_CONN, Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.domain.instant import Instant
from edge_agent.mqtt import messages
from edge_agent.mqtt.commands import MAX_BYTES, MAX_MODEL_BYTES, longest
from edge_agent.mqtt.messages import Identity, Link
from edge_agent.mqtt.settings import LOOPBACK, MqttSettings, TlsSettings
from edge_agent.mqtt.wire import PACKET_TOO_LARGE, UNSUPPORTED_VERSION, Incoming, Outgoing, reason_text

log = logging.getLogger(__name__)
_Item = TypeVar("_Item")

IN_FLIGHT = 20
WILL_DELAY_S = 15
PING_EVERY_S = 300.0
CONNECT_TIMEOUT_S = 5.0
CONNACK_TIMEOUT_S = 5.0
HUNG_S = 60.0  # without a step of the network thread: a link turns at least once a second, a pause lasts 30 s at most
# While a link is made: the resolver may try every server and search domain (resolv.conf(5): 5 s, twice, each), then
# TCP and TLS have limits of their own. A network that is merely slow must not have the agent started anew.
HUNG_CONNECTING_S = 600.0
_TOPIC_INVALID = 0x90
_MAX_INCOMING_PACKET = (
    MAX_MODEL_BYTES + 2048
)  # bytes; the broker drops what is larger (MQTT 5, 3.1.2.11.4), else up to 256 MB
_LARGE = 8  # of these, those that are larger than any but a model: 1 MB at most
_INCOMING = 1000  # messages that may wait for the next cycle, which answers those it does not take; more are lost
_PACKET_OVERHEAD = 128  # more than the fixed header and the properties of a PUBLISH, correlation data aside


@dataclass(frozen=True, slots=True)
class BackOff:
    """Capped exponential waiting between attempts, jittered so that a site's nodes do not come back in step."""

    first_s: float = 1.0
    cap_s: float = 30.0
    steady_s: float = 30.0  # a link that lived this long was a good one: start from the beginning

    def delay_s(self, failures: int, chance: float) -> float:
        """Before the next attempt, after so many in a row that failed; ``chance`` in [0, 1).

        >>> [BackOff().delay_s(n, 0.0) for n in (0, 1, 2, 10)], BackOff().delay_s(10, 0.5)
        ([0.5, 1.0, 2.0, 15.0], 22.5)
        """
        return min(self.cap_s, self.first_s * 2.0 ** min(failures, 30)) * (0.5 + chance / 2)


@dataclass(frozen=True, slots=True)
class VersionChoice:
    """Which protocol to speak next. A broker that knows no MQTT 5 may say so, hang up, or say nothing at all."""

    configured: str
    doubts: int = 0  # 2: take 3.1.1
    has_spoken_5: bool = False  # with us: its silence then means something else

    @property
    def version(self) -> str:
        return "3.1.1" if self.configured == "3.1.1" or self.doubts >= 2 else "5"

    @property
    def has_fallen_back(self) -> bool:
        return self.version != self.configured

    def after_refusal(self) -> "VersionChoice":
        """The broker said that it does not know the version."""
        return replace(self, doubts=2, has_spoken_5=False)

    def after_silence(self, *, has_hung_up: bool) -> "VersionChoice":
        """No answer to CONNECT: one hang-up may be chance, two in a row or a long silence are not."""
        if self.has_spoken_5:
            return self
        if self.has_fallen_back:
            return replace(self, doubts=0)  # it was not the version
        return replace(self, doubts=self.doubts + (1 if has_hung_up else 2))

    def after_success(self) -> "VersionChoice":
        """The connection after a 3.1.1 tries 5 once before it falls back again: brokers are upgraded."""
        has_spoken_5 = self.version == "5"
        return replace(self, doubts=0 if has_spoken_5 else 1, has_spoken_5=has_spoken_5)


# --- what can be said about a link, in words ------------------------------------------------------------------------


def notes(settings: MqttSettings, choice: VersionChoice) -> tuple[str, ...]:
    """What a person should know about this connection; stands in the status and in the log."""
    found = []
    if settings.tls is None and settings.host not in LOOPBACK:
        found.append(f"the connection to {settings.host} is not encrypted (insecure = true)")
    if choice.has_fallen_back:
        found.append(f"MQTT 3.1.1: the broker at {settings.host}:{settings.port} refuses MQTT 5")
    if choice.version == "3.1.1":
        found.append("MQTT 3.1.1: no message expiry, and a refused message is acknowledged as if it were accepted")
    return tuple(found)


def explain(error: Exception, settings: MqttSettings) -> str:
    """One sentence: which host, which certificate, why."""
    place = f"{settings.host}:{settings.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        trusted = settings.tls.ca_file if settings.tls and settings.tls.ca_file else "the system's authorities"
        return f"TLS to {place}: the server's certificate is not accepted: {error.verify_message} (trusting {trusted})"
    if isinstance(error, ssl.SSLError):
        return f"TLS to {place} failed: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return f"{settings.host}: no such host name is known ({error.strerror})"
    if isinstance(error, ConnectionRefusedError):
        return f"{place} refuses the connection: is the broker running?"
    if isinstance(error, TimeoutError):
        return f"{place} does not answer within {CONNECT_TIMEOUT_S:g} s"
    if isinstance(error, _Unreadable):
        return str(error)
    return f"{place}: {error}"


class _Unreadable(OSError):
    """A file that the configuration names cannot be used."""


def _path(written: str) -> str:
    """systemd tells its credentials' place by an environment variable: ``$CREDENTIALS_DIRECTORY/mqtt-password``."""
    return os.path.expandvars(written)


def tls_context(tls: TlsSettings) -> ssl.SSLContext:
    """The server is always verified, name included; TLS 1.2 or newer."""
    try:
        context = ssl.create_default_context(cafile=_path(tls.ca_file) if tls.ca_file else None)
    except OSError as error:
        raise _Unreadable(f"mqtt.tls.ca_file {tls.ca_file}: no usable PEM certificates: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.cert_file and tls.key_file:
        try:
            context.load_cert_chain(_path(tls.cert_file), _path(tls.key_file))
        except OSError as error:
            wrong = f"mqtt.tls.cert_file {tls.cert_file} with key_file {tls.key_file}: not a usable pair: {error}"
            raise _Unreadable(wrong) from error
    return context


def password(settings: MqttSettings) -> str | None:
    if settings.password_file is None:
        return None
    try:
        return Path(_path(settings.password_file)).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _Unreadable(f"mqtt.password_file {settings.password_file}: {error}") from error


# --- paho ------------------------------------------------------------------------------------------------------------


def make_client(settings: MqttSettings, client_id: str, version: str) -> Client:
    """A client with credentials and TLS, not connected. Raises OSError for files it cannot use."""
    is_5 = version == "5"
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if is_5 else True,
        protocol=MQTTv5 if is_5 else MQTTv311,
        reconnect_on_failure=False,
    )
    client.suppress_exceptions = True  # one raised in a callback would end the thread while all looks well
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.max_inflight_messages_set(0)  # the window is ours to keep
    if settings.username is not None:
        client.username_pw_set(settings.username, password(settings))
    if settings.tls is not None:
        client.tls_set_context(tls_context(settings.tls))
    return client


def _properties(kind: int) -> Any:
    return Properties(kind)  # type: ignore[no-untyped-call]


class _PackedOnce(Properties):
    """Properties of many messages alike: packing them costs as much as all the rest of a message's rendering."""

    _packed: bytes

    def freeze(self) -> None:
        object.__setattr__(self, "_packed", super().pack())  # type: ignore[no-untyped-call]

    def pack(self) -> bytes:
        return self._packed


@lru_cache(maxsize=512)
def _publish_properties(content_type: str, expiry_s: int | None, correlation: bytes | None) -> Any:
    properties: Any = _PackedOnce(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.PayloadFormatIndicator = 1  # UTF-8
    properties.ContentType = content_type
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    if correlation is not None:
        properties.CorrelationData = correlation
    properties.freeze()
    return properties


def _will_properties(delay_s: int) -> Any:
    properties = _properties(PacketTypes.WILLMESSAGE)
    properties.WillDelayInterval = delay_s
    properties.PayloadFormatIndicator = 1
    properties.ContentType = "application/json"
    return properties


def _connect_properties(will_delay_s: int) -> Any:
    """The session outlives the link, or the broker would tell the will at once."""
    properties = _properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = will_delay_s + 15
    properties.MaximumPacketSize = _MAX_INCOMING_PACKET
    return properties


class _Overheard(logging.Handler):
    """Keeps paho's last complaint: the only place where it tells why a socket failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()
        if "Caught exception" in self.last:  # a bug in one of our callbacks: paho went on, nobody else would know
            log.error("paho: %s", self.last)


class MqttConnection:
    """See ``publisher.Connection`` for what the publisher uses; every method is safe from any thread."""

    def __init__(
        self,
        settings: MqttSettings,
        identity: Identity,
        now: Callable[[], Instant],
        *,
        back_off: BackOff | None = None,
        will_delay_s: int = WILL_DELAY_S,
        ping_every_s: float = PING_EVERY_S,
        connack_timeout_s: float = CONNACK_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._now = now
        self._wake: Callable[[], None] = lambda: None
        self._back_off = back_off or BackOff()
        self._will_delay_s = will_delay_s
        self._ping_every_ms = int(ping_every_s * 1000)
        self._connack_timeout_s = connack_timeout_s
        self._choice = VersionChoice(settings.protocol)
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._doorbell: tuple[socket.socket, socket.socket] | None = None
        self._has_rung = False
        self._has_news = False
        self._session = 0
        self._link = Link(0, settings.protocol, settings.tls is not None)
        self._tokens = count(1)
        self._to_send: deque[tuple[int, int, Outgoing]] = deque()  # (generation, token, message)
        self._by_mid: dict[int, int] = {}
        self._acks: deque[tuple[int, int | None]] = deque()
        self._received: deque[Incoming] = deque()
        self._max_packet: int | None = None
        self._failures = 0
        self._is_silent = False
        self._up_since_ms: int | None = None
        self._overheard = _Overheard()
        self._stepped = now()  # and how long the next step may take:
        self._step_s = HUNG_S
        self._restart_reason: str | None = None
        self._cause: str | None = None  # why this link ended; None while nothing is known
        self._ping: Outgoing | None = None
        self._ping_mid: int | None = None
        self._ping_due_ms: int | None = None
        self._proved_ms: int | None = None
        self.generation = 0
        self.is_up = False
        self.window = IN_FLIGHT
        self.last_error: str | None = None  # why there is no connection; None while there is one
        self.ping_refusal: str | None = None  # why the command path cannot be proved
        self.unheard = 0  # messages lost because too many came between two cycles; the service counts and tells them

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self, wake: Callable[[], None] = lambda: None) -> None:
        """``wake`` is called on the network thread when there is an acknowledgement, a command or a new link."""
        if self._thread is not None:
            raise RuntimeError("the connection was started already")
        for note in notes(self._settings, self._choice):
            log.warning("MQTT: %s", note)
        self._wake = wake
        reading, writing = socket.socketpair()
        reading.setblocking(False)
        writing.setblocking(False)
        self._doorbell = (reading, writing)
        self._thread = threading.Thread(target=self._run, name="mqtt-connection", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Disconnect properly, so that the broker keeps the will to itself."""
        self._stopping.set()
        self._ring()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                log.warning("The MQTT connection did not end within %g s", timeout_s)
                return
        if self._doorbell is not None:
            for end in self._doorbell:
                end.close()
            self._doorbell = None

    # --- the publisher's side ---------------------------------------------------------------------------------------

    @property
    def link(self) -> Link:
        return self._link

    @property
    def in_flight(self) -> int:
        return len(self._to_send) + len(self._by_mid)

    def send(self, outgoing: Outgoing, generation: int) -> int:
        token = next(self._tokens)
        self._to_send.append((generation, token, outgoing))
        self._ring()
        return token

    def acks(self) -> list[tuple[int, int | None]]:
        return _emptied(self._acks)

    def received(self) -> list[Incoming]:
        """What came in since the last call, the node's own pings aside."""
        return _emptied(self._received)

    def restart(self, reason: str) -> None:
        """Drop the link without a word and make a new one."""
        self._restart_reason = reason
        self._ring()

    @property
    def is_running(self) -> bool:
        """False before start, after stop, and when the network thread died of a bug."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_moving(self) -> bool:
        """False when the network thread lives and hangs; not for a broker that is away, and not for slow names."""
        return self._stepped.age_s(self._now()) < self._step_s

    def _step(self, most_s: float = HUNG_S) -> None:
        """The network thread's sign of life."""
        self._stepped, self._step_s = self._now(), most_s

    @property
    def command_path(self) -> str:
        """Whether commands reach us: a broker says "granted" to a subscription it never serves."""
        proved_ms = self._proved_ms
        is_fresh = proved_ms is not None and self._now().mono_ms - proved_ms <= 2 * self._ping_every_ms
        return "ok" if self.is_up and is_fresh else "unproved"

    def _ring(self) -> None:
        doorbell = self._doorbell
        if doorbell is None or self._has_rung:
            return
        self._has_rung = True
        try:
            doorbell[1].send(b"!")
        except OSError:
            return  # full of rings already, or closed since

    # --- the network thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            before = self._choice
            self._step(HUNG_CONNECTING_S)
            self._one_link()
            self._step()
            self._lost()
            if self._choice.version != before.version and self._choice.has_fallen_back:
                continue  # another language, at once
            self._stopping.wait(self._back_off.delay_s(self._failures, random.random()))
            self._failures += 1

    def _one_link(self) -> None:
        self._session += 1
        self._restart_reason = self._overheard.last = self._cause = None
        version = self._choice.version
        try:
            client = self._prepared(version)
            self._connect(client, version)
        except (OSError, ValueError) as error:  # ValueError: a host name that cannot be one, a malformed certificate
            self._complain(explain(error, self._settings))
            return
        try:
            self._serve(client)
        finally:
            _close(client)

    def _prepared(self, version: str) -> Client:
        settings = self._settings
        client = make_client(settings, self._identity.node, version)
        logger = logging.Logger("paho", logging.WARNING)
        logger.addHandler(self._overheard)
        client.enable_logger(logger)
        will = messages.will(self._identity, self._now(), self._session)
        properties = _will_properties(self._will_delay_s) if version == "5" else None
        client.will_set(will.topic, will.payload, will.qos, will.retain, properties)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        client.on_socket_register_write = lambda *_: None  # we ask want_write: nothing is written behind our back
        return client

    def _connect(self, client: Client, version: str) -> None:
        """TCP, TLS and the CONNECT packet; its answer comes to _on_connect."""
        settings = self._settings
        if version == "5":
            # Clean: a command that waited at the broker while we were away is not obeyed late.
            client.connect(
                settings.host,
                settings.port,
                settings.keepalive_s,
                clean_start=True,
                properties=_connect_properties(self._will_delay_s),
            )
        else:
            client.connect(settings.host, settings.port, settings.keepalive_s)

    def _serve(self, client: Client) -> None:
        opened_ms = self._now().mono_ms
        while not self._stopping.is_set() and self._restart_reason is None:
            self._step()
            self._hand_over(client)
            is_alive = self._turn(client)
            if self._has_news:  # once for all that came together: waking a thread costs more than an acknowledgement
                self._has_news = False
                self._wake()
            if not is_alive:
                break
            now_ms = self._now().mono_ms
            if not self.is_up and now_ms - opened_ms > self._connack_timeout_s * 1000:
                self._restart_reason = f"connected, but no CONNACK within {self._connack_timeout_s:g} s"
                self._choice = self._choice.after_silence(has_hung_up=False)
            elif self._ping_due_ms is not None and now_ms >= self._ping_due_ms:
                self._send_ping(client, now_ms)
        if self._restart_reason is not None:
            self._complain(f"{self._settings.host}:{self._settings.port}: {self._restart_reason}; connecting again")
        if self._stopping.is_set() and client.socket() is not None:
            client.disconnect()
            client.loop_write()

    def _turn(self, client: Client) -> bool:
        """Wait for something on the socket or from the other threads, at most a second; False: the link is gone."""
        sock: Any = client.socket()
        if sock is None or self._doorbell is None:
            return False
        buffered = sock.pending() if isinstance(sock, ssl.SSLSocket) else 0  # decrypted already: select knows nothing
        bell = self._doorbell[0]
        readable, writable, _ = select.select(
            [sock, bell], [sock] if client.want_write() else [], [], 0.0 if buffered else 1.0
        )
        if bell in readable:
            bell.recv(64)
            self._has_rung = False  # before the queue is looked at, so that no ring is lost
        if sock in readable or buffered:
            client.loop_read()
        if sock in writable:
            client.loop_write()
        client.loop_misc()  # keep-alive: notices a half-open link without any traffic of ours
        return client.socket() is not None

    def _hand_over(self, client: Client) -> None:
        while self._to_send:
            generation, token, outgoing = self._to_send[0]
            if generation == self.generation and self.is_up:
                self._publish(client, token, outgoing)
            self._to_send.popleft()  # only now: in_flight never misses it
        if client.want_write():
            client.loop_write()

    def _publish(self, client: Client, token: int, outgoing: Outgoing) -> None:
        size = len(outgoing.payload) + len(outgoing.topic) + len(outgoing.correlation or b"") + _PACKET_OVERHEAD
        if self._max_packet is not None and size > self._max_packet:
            self._answer(token, PACKET_TOO_LARGE)  # the broker would hang up on us, again and again
            return
        try:
            mid = self._paho_publish(client, outgoing)
        except ValueError:
            self._answer(token, _TOPIC_INVALID)
            return
        if mid is not None:
            self._by_mid[mid] = token

    def _paho_publish(self, client: Client, outgoing: Outgoing) -> int | None:
        properties = None
        if self._link.protocol == "5":
            properties = _publish_properties(outgoing.content_type, outgoing.expiry_s, outgoing.correlation)
        made = client.publish(outgoing.topic, outgoing.payload, outgoing.qos, outgoing.retain, properties)
        return None if made.rc == MQTT_ERR_NO_CONN else made.mid

    def _answer(self, token: int, reason: int | None) -> None:
        self._acks.append((token, reason))
        self._has_news = True

    def _send_ping(self, client: Client, now_ms: int) -> None:
        self._ping = messages.ping(self._identity, secrets.token_hex(8))
        self._ping_due_ms = now_ms + self._ping_every_ms
        self._ping_mid = self._paho_publish(client, self._ping)

    # --- paho's callbacks, all on the network thread ----------------------------------------------------------------

    def _on_connect(self, client: Client, _userdata: Any, _flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refused(reason.value)
            return
        self._max_packet = getattr(properties, "MaximumPacketSize", None)
        self.window = min(IN_FLIGHT, getattr(properties, "ReceiveMaximum", IN_FLIGHT))
        client.subscribe([(topic, 1) for topic in messages.subscriptions(self._identity)])
        now_ms = self._now().mono_ms
        self._link = Link(
            self._session,
            self._choice.version,
            self._settings.tls is not None,
            notes(self._settings, self._choice),
        )
        self._choice = self._choice.after_success()
        self._up_since_ms = self._ping_due_ms = now_ms  # the ping follows the SUBSCRIBE on the same link, in order
        self.last_error = None
        self.generation += 1
        self.is_up = True
        log.info("Connected to %s:%d, MQTT %s", self._settings.host, self._settings.port, self._link.protocol)
        for note in self._link.notes:
            log.warning("MQTT: %s", note)
        self._has_news = True

    def _refused(self, reason: int) -> None:
        if reason == UNSUPPORTED_VERSION:
            self._choice = self._choice.after_refusal()
        place = f"{self._settings.host}:{self._settings.port}"
        self._complain(f"the broker at {place} refuses the connection: {reason_text(reason)}")

    def _on_publish(self, _client: Client, _userdata: Any, mid: int, reason: Any, _properties: Any) -> None:
        code = reason.value if reason.is_failure else None
        if mid == self._ping_mid:
            self._ping_mid = None
            self._take_ping_answer(None if code is None else reason_text(code))
            return
        token = self._by_mid.pop(mid, None)
        if token is not None:
            self._answer(token, code)

    def _take_ping_answer(self, refusal: str | None) -> None:
        if refusal is not None and refusal != self.ping_refusal:
            log.warning("MQTT: the broker refuses our ping on %s: %s", self._identity.topic("cmd/ping"), refusal)
        self.ping_refusal = refusal

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # no topic we subscribed to
        now = self._now()
        if self._ping is not None and topic == self._ping.topic and message.payload == self._ping.payload:
            self._proved_ms = now.mono_ms
            return
        if len(self._received) >= _INCOMING or (len(message.payload) > MAX_BYTES and self._has_many_large()):
            self.unheard += 1
            return
        properties = message.properties
        self._received.append(
            Incoming(
                topic,
                bytes(message.payload[: longest(topic.rpartition("/")[2]) + 1]),  # enough to say that it is too long
                message.retain,
                now,
                getattr(properties, "MessageExpiryInterval", None),
                getattr(properties, "ResponseTopic", None),
                getattr(properties, "CorrelationData", None),
            )
        )
        self._has_news = True

    def _has_many_large(self) -> bool:
        return sum(len(waiting.payload) > MAX_BYTES + 1 for waiting in self._received.copy()) >= _LARGE

    def _on_disconnect(self, _client: Client, _userdata: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if self._stopping.is_set() or self._cause is not None:
            return
        place = f"{self._settings.host}:{self._settings.port}"
        if flags.is_disconnect_packet_from_server:
            self._complain(f"the broker at {place} ended the connection: {reason_text(reason.value)}")
        else:
            why = self._overheard.last or str(reason)
            if not self.is_up and self._settings.tls is not None and self._settings.tls.cert_file is None:
                why += "; the broker may want a client certificate (mqtt.tls.cert_file)"
            self._is_silent = not self.is_up
            self._complain(f"lost the connection to {place}: {why}")

    # --- ends -------------------------------------------------------------------------------------------------------

    def _lost(self) -> None:
        if self.is_up:
            lived_ms = self._now().mono_ms - (self._up_since_ms or 0)
            self._failures = 0 if lived_ms >= self._back_off.steady_s * 1000 else self._failures
        elif self._is_silent:
            self._choice = self._choice.after_silence(has_hung_up=True)
        self.is_up = self._is_silent = False
        self._to_send.clear()
        self._by_mid.clear()
        self._ping = self._ping_mid = self._ping_due_ms = self._proved_ms = None
        self._wake()

    def _complain(self, sentence: str) -> None:
        if sentence != self.last_error:
            log.warning("MQTT: %s", sentence)
        self.last_error = self._cause = sentence


def _close(client: Client) -> None:
    """Without a DISCONNECT, unless one was sent: then the broker may tell our will."""
    sock: Any = client.socket()
    if sock is not None:
        client.on_disconnect = None
        sock.close()


def _emptied(queue: "deque[_Item]") -> list[_Item]:
    """Everything in it now; what another thread adds meanwhile stays for the next time."""
    return [queue.popleft() for _ in range(len(queue))]
