"""A configuration as a text, and as a file."""

import codecs
from pathlib import Path
from typing import cast

from edge_agent.config.between import faults_between, faults_of_board
from edge_agent.config.faults import ConfigError, ConfigFault, Found
from edge_agent.config.files import faults_of_files
from edge_agent.config.locate import locate
from edge_agent.config.settings import BoardSettings, Settings
from edge_agent.config.syntax import SyntaxFault, excess, parse
from edge_agent.config.tables import Document, Draft, read_tables

LARGEST = 1 << 20  # bytes: a hundred sensors take a fiftieth of it


def check(text: str, file: str) -> list[ConfigFault] | Settings:
    """The settings which a text describes, or everything that is wrong with it in the order of the text.

    Looks at nothing but the text; ``file`` is what the faults call it.
    """
    document = _document(text, file)
    if isinstance(document, list):
        return document
    draft = _drafted(document)
    return locate(draft.found, document, text, file) or _settings(draft)


def load(path: str | Path) -> Settings:
    """The settings in a file; raises ConfigError with every fault, also those of the files which it names."""
    file = str(path)
    text = _read(file)
    document = _document(text, file)
    if isinstance(document, list):
        raise ConfigError(document)
    draft = _drafted(document)
    faults = locate((*draft.found, *faults_of_files(document)), document, text, file)
    if faults:
        raise ConfigError(faults)
    return _settings(draft)


def _document(text: str, file: str) -> Document | list[ConfigFault]:
    document = parse(text)
    if isinstance(document, SyntaxFault):
        return [ConfigFault(file, document.line, "", "", None, document.right)]
    return locate(excess(document), document, text, file) or document


def _drafted(document: Document) -> Draft:
    if not document:
        return Draft(found=[Found((), "is empty: copy config/edge-agent.toml, which explains every key")])
    draft = read_tables(document)
    draft.found += faults_between(document, draft)
    draft.found += faults_of_board(document, draft)
    return draft


def _settings(draft: Draft) -> Settings:
    return Settings(
        board=cast(BoardSettings, draft.board),  # a draft without a fault has one
        sensors=tuple(draft.sensors.values()),
        shelves=tuple(draft.shelves.values()),
        products=tuple(draft.products.values()),
        places=tuple(draft.places.values()),
        **draft.single,
    )


def _read(file: str) -> str:
    """The text of a file, with or without a byte-order mark."""

    def fault(right: str, line: int | None = None) -> ConfigError:
        return ConfigError([ConfigFault(file, line, "", "", None, right)])

    try:
        with open(file, "rb") as stream:
            content = stream.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise fault("there is no such file") from error
    except IsADirectoryError as error:
        raise fault("is a directory: name the file in it") from error
    except PermissionError as error:
        raise fault("cannot be read by this user: change its owner or mode, or run as the agent's user") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise fault(f"cannot be read: {error}") from error
    if len(content) > LARGEST:
        raise fault(f"is larger than {LARGEST // 1024} KiB: not a configuration")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise fault("is UTF-16: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise fault(f"is not UTF-8: byte 0x{content[error.start]:02x} stands there; save it as UTF-8", line) from error
