"""Every way a broker can be wrong, against a real Mosquitto and real certificates."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent.mqtt.settings import MqttSettings, TlsSettings
from edge_agent.setup.broker_check import Time, certificates, loop_back, not_yet_valid, reach
from edge_agent.setup.certificate import Certificate, NotACertificate, decode, in_file
from edge_agent.setup.finding import Finding, Verdict

NOW = Time(datetime(2026, 11, 23, 7, 0, tzinfo=UTC), is_synchronised=True)
UNSYNCED = Time(NOW.now, is_synchronised=False)
IN_1970 = Time(datetime(1970, 1, 1, 0, 3, tzinfo=UTC), is_synchronised=False)


def settings(port: int, authority=None, **more: object) -> MqttSettings:
    tls = None if authority is None else TlsSettings(ca_file=str(authority.folder / "ca.pem"))
    return MqttSettings(host="localhost", port=port, tls=tls, **more)  # type: ignore[arg-type]


def worst(findings: list[Finding]) -> Finding:
    return next((f for f in findings if f.verdict is Verdict.FAIL), findings[-1])


def test_a_good_broker_is_reached_by_name_port_and_tls(brokers, authority) -> None:
    found = list(reach(settings(brokers.good, authority), NOW))
    assert [finding.verdict for finding in found] == [Verdict.OK] * 3
    assert "TLSv1." in found[1].words
    assert "days left (until 2090-01-01)" in found[2].words


@pytest.mark.parametrize(
    ("listener", "at", "says", "cure"),
    [
        ("expired", NOW, "has expired on 2021-01-01", "a new certificate"),
        ("expired", UNSYNCED, "if this machine's clock is right: it says 2026-11-23", "a new certificate"),
        ("not-yet", IN_1970, "the cause is the clock of this machine, which says 1970-01-01", "set the clock first"),
        ("not-yet", UNSYNCED, "the cause is the clock of this machine", "set the clock first"),
        ("not-yet", NOW, "not valid yet before 2089-01-01 00:00 UTC, and the clock of this machine is right", "a new"),
        ("other-name", NOW, "is for broker.example, and mqtt.host is localhost", "write mqtt.host as the certificate"),
        ("stranger", NOW, "is signed by nobody in", "mqtt.tls.ca_file"),
        ("mutual", NOW, "it wants a client certificate", "mqtt.tls.cert_file and key_file"),
        ("plain", NOW, "no TLS with localhost", "is it the port for TLS"),
    ],
)
def test_a_certificate_that_will_not_do_is_named_with_its_cause_and_cure(
    brokers, authority, listener, at, says, cure
) -> None:
    finding = worst(list(reach(settings(brokers.by_name[listener], authority), at)))
    assert finding.verdict is Verdict.FAIL
    assert says in finding.words
    assert cure in finding.cure


def test_our_own_certificate_in_1970_is_the_clocks_fault_too(authority) -> None:
    pem, key = authority.sign("node-1970", "a1")
    tls = TlsSettings(str(authority.folder / "ca.pem"), str(pem), str(key))
    for finding in certificates(tls, "a1", IN_1970):
        assert finding.verdict is Verdict.FAIL
        assert "the cause is the clock" in finding.words


@pytest.mark.parametrize(
    ("name", "validity", "verdict", "says"),
    [
        ("a1", ("20260101000000Z", "20300101000000Z"), Verdict.OK, "days left"),
        ("a1", ("20260101000000Z", "20261210000000Z"), Verdict.WARN, "17 days left"),
        ("a1", ("20200101000000Z", "20260101000000Z"), Verdict.FAIL, "has expired on 2026-01-01"),
        ("a1", ("20270101000000Z", "20300101000000Z"), Verdict.FAIL, "is not valid yet before 2027-01-01"),
        ("b7", ("20260101000000Z", "20300101000000Z"), Verdict.WARN, "is for 'b7', and this node is 'a1'"),
    ],
)
def test_the_nodes_own_certificate_is_read(authority, name, validity, verdict, says) -> None:
    pem, key = authority.sign("node", name, validity=validity)
    found = list(certificates(TlsSettings(None, str(pem), str(key)), "a1", NOW))
    assert found[-1].verdict is verdict
    assert says in found[-1].words


def test_a_client_certificate_of_a_stranger_is_refused_by_the_broker(brokers, authority, stranger) -> None:
    pem, key = stranger.sign("node", "a1")
    tls = TlsSettings(str(authority.folder / "ca.pem"), str(pem), str(key))
    found = worst(list(reach(MqttSettings(host="localhost", port=brokers.mutual, tls=tls), NOW)))
    assert found.verdict is Verdict.FAIL
    assert "the broker refuses this node's certificate" in found.words


def test_an_expired_client_certificate_is_refused_by_the_broker(brokers, authority) -> None:
    pem, key = authority.sign("node-old", "a1", validity=("20200101000000Z", "20210101000000Z"))
    tls = TlsSettings(str(authority.folder / "ca.pem"), str(pem), str(key))
    found = worst(list(reach(MqttSettings(host="localhost", port=brokers.mutual, tls=tls), NOW)))
    assert "the broker refuses this node's certificate" in found.words
    assert "expired" in found.words


def test_a_right_client_certificate_goes_all_the_way(brokers, authority) -> None:
    pem, key = authority.sign("node-good", "a1")
    tls = TlsSettings(str(authority.folder / "ca.pem"), str(pem), str(key))
    mqtt = MqttSettings(host="localhost", port=brokers.mutual, tls=tls)
    assert {f.verdict for f in reach(mqtt, NOW)} == {Verdict.OK}
    assert {f.verdict for f in loop_back(mqtt, "elm-street", "a1")} == {Verdict.OK}


def test_a_file_that_is_no_certificate_is_named(tmp_path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("hello\n")
    tls = TlsSettings(ca_file=str(wrong))
    (finding,) = certificates(tls, "a1", NOW)
    assert finding.verdict is Verdict.FAIL
    assert "has no certificate in PEM" in finding.words


def test_nobody_at_the_port_and_no_such_name() -> None:
    refused = list(reach(settings(1), NOW))[-1]
    assert (refused.verdict, "systemctl start mosquitto" in refused.cure) == (Verdict.FAIL, True)
    unknown = list(reach(MqttSettings(host="broker.invalid", insecure=True), NOW))[-1]
    assert unknown.verdict is Verdict.FAIL
    assert "no such host name" in unknown.words


def user(tmp_path: Path, name: str, word: str) -> dict[str, str]:
    file = tmp_path / "password"
    file.write_text(word)
    file.chmod(0o600)
    return {"username": name, "password_file": str(file)}


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_the_way_of_commands_is_proved_by_one_to_ourselves(brokers, tmp_path, version) -> None:
    for mqtt in (
        settings(brokers.plain, version=version),
        settings(brokers.passwords, version=version, **user(tmp_path, "a1", "right")),
    ):
        found = list(loop_back(mqtt, "elm-street", "a1"))
        assert [finding.verdict for finding in found] == [Verdict.OK, Verdict.OK]
        assert "came back" in found[-1].words


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize(("name", "word"), [("a1", "wrong"), ("nobody", "right")])
def test_a_wrong_password_is_told_as_one(brokers, tmp_path, version, name, word) -> None:
    mqtt = settings(brokers.passwords, version=version, **user(tmp_path, name, word))
    (finding,) = loop_back(mqtt, "elm-street", "a1")
    assert finding.verdict is Verdict.FAIL
    assert f"does not let user '{name}' in" in finding.words
    assert "mosquitto_passwd" in finding.cure


def test_access_rules_that_keep_commands_away_are_told_with_what_to_allow(brokers, tmp_path) -> None:
    mqtt = settings(brokers.passwords, **user(tmp_path, "dumb", "right"))
    *_, finding = loop_back(mqtt, "elm-street", "a1")
    assert finding.verdict is Verdict.FAIL
    assert "storeroom/v1/elm-street/a1/cmd/ping" in finding.cure


@pytest.mark.parametrize(
    ("at", "is_clock"), [(IN_1970, True), (UNSYNCED, True), (NOW, False)], ids=["1970", "unsynced", "synced"]
)
def test_a_certificate_from_the_future_blames_the_clock_only_where_it_is_doubtful(at, is_clock) -> None:
    found = Certificate(datetime(2027, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC), "a1")
    assert ("the cause is the clock" in not_yet_valid("it", found, at).words) is is_clock


def test_what_openssl_wrote_is_read_back(authority) -> None:
    pem, _ = authority.sign("read", "a1", "DNS:broker.example, IP:192.168.1.7", ("20260101000000Z", "20510101000000Z"))
    (found,) = in_file(pem)
    assert found == Certificate(
        datetime(2026, 1, 1, tzinfo=UTC), datetime(2051, 1, 1, tzinfo=UTC), "a1", ("broker.example", "192.168.1.7")
    )


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x03\x30\x01\x00", bytes(50), b"\x30\x84\xff\xff\xff\xff\x00"])
def test_what_is_no_certificate_is_refused_and_not_guessed(der) -> None:
    with pytest.raises(NotACertificate):
        decode(der)
