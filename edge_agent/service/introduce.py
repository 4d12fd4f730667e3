"""The node introduces itself to Home Assistant, and takes back what it said of parts that are there no more."""

import json
import logging

from edge_agent.mqtt import discovery
from edge_agent.mqtt.messages import Identity, NodeDescription
from edge_agent.mqtt.wire import Outgoing
from edge_agent.storage.errors import StorageError
from edge_agent.storage.settings_file import SettingsFile

log = logging.getLogger(__name__)

NOTED = "told-home-assistant"


def introduction(
    prefix: str, identity: Identity, described: NodeDescription, settings_file: SettingsFile
) -> tuple[Outgoing, ...]:
    """What is to be told after each connection.

    What was ever told is kept on the card, before it is told: a part that is configured no more is named as gone
    from then on, for Home Assistant may be away when it is told first. A topic of an earlier name or prefix is emptied.
    """
    topics = _noted(settings_file)
    before = {told: dict(parts) for told, parts in topics.items()}
    here = discovery.topic(prefix, identity.node) if prefix else None
    now = discovery.announced(described) if prefix else {}
    if here is not None:
        topics[here] = topics.get(here, {}) | now
    if topics != before:
        _note(settings_file, topics)
    left = tuple(discovery.nothing(told) for told in topics if told != here)
    if here is None:
        return left
    gone = {name: platform for name, platform in topics[here].items() if name not in now}
    return (*left, discovery.device(prefix, identity, described, gone))


def _noted(settings_file: SettingsFile) -> dict[str, dict[str, str]]:
    """Topic -> component -> platform."""
    text = settings_file.noted(NOTED)
    return {} if text is None else json.loads(text)


def _note(settings_file: SettingsFile, topics: dict[str, dict[str, str]]) -> None:
    """A card that takes no writes forgets it; whoever looks at Home Assistant then removes the orphan by hand."""
    try:
        settings_file.note(NOTED, json.dumps(topics, separators=(",", ":")))
    except StorageError as error:
        log.warning("what Home Assistant was told could not be kept: %s", error)
