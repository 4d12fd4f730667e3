"""Numbered steps from an empty file to today's schema; ``PRAGMA user_version`` says where a file stands.

A step is never edited once released: a change is a new step. Each runs in its own transaction together with its number.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine

from edge_agent.storage.errors import StorageForeign, StorageNewer

Step = Callable[[Connection], None]
_MESSAGE_COLUMNS = (
    "seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, body BLOB NOT NULL, clock INTEGER NOT NULL,"
    " mono_ms INTEGER NOT NULL, retain INTEGER NOT NULL, expiry_s INTEGER, correlation BLOB"
)
_SPAN = "stream TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (stream, first)"


def _first_schema(tx: Connection) -> None:
    streams = ("stock", "event", "alarm", "alarmlog", "meta", "rsp")
    for statement in (
        "CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE telemetry (seq INTEGER PRIMARY KEY, shape INTEGER NOT NULL, clock INTEGER NOT NULL,"
        " mono_ms INTEGER NOT NULL, readings BLOB NOT NULL)",
        *(f"CREATE TABLE outbox_{stream} ({_MESSAGE_COLUMNS})" for stream in streams),
        "CREATE TABLE shape (id INTEGER PRIMARY KEY, point TEXT NOT NULL, channels TEXT NOT NULL)",
        "CREATE TABLE fault (id INTEGER PRIMARY KEY, code TEXT NOT NULL)",
        "CREATE TABLE clock (id INTEGER PRIMARY KEY, boot TEXT NOT NULL, offset_ms INTEGER NOT NULL,"
        " state TEXT NOT NULL)",
        f"CREATE TABLE settled ({_SPAN}) WITHOUT ROWID",
        f"CREATE TABLE again ({_SPAN}) WITHOUT ROWID",
        "CREATE TABLE note (stream TEXT NOT NULL, kind TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
        " rows INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (stream, kind, first)) WITHOUT ROWID",
        "CREATE TABLE removed (stream TEXT NOT NULL, reason TEXT NOT NULL, rows INTEGER NOT NULL,"
        " PRIMARY KEY (stream, reason)) WITHOUT ROWID",
        "CREATE TABLE watermark (stream TEXT NOT NULL, seq INTEGER NOT NULL, clock INTEGER NOT NULL,"
        " mono_ms INTEGER NOT NULL, PRIMARY KEY (stream, seq)) WITHOUT ROWID",
        "CREATE TABLE memory (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE inbox (id INTEGER PRIMARY KEY, cmd_id TEXT NOT NULL, verb TEXT NOT NULL,"
        " arguments TEXT NOT NULL, source TEXT NOT NULL, boot TEXT NOT NULL, mono_ms INTEGER NOT NULL,"
        " wall_ms INTEGER NOT NULL, clock TEXT NOT NULL, expires_s REAL, response_topic TEXT, correlation BLOB,"
        " code TEXT, message TEXT, detail TEXT, done_boot TEXT, done_mono_ms INTEGER, done_wall_ms INTEGER,"
        " done_clock TEXT)",
        "CREATE INDEX inbox_cmd_id ON inbox (cmd_id)",
        "CREATE INDEX inbox_waiting ON inbox (id) WHERE code IS NULL",
    ):
        tx.exec_driver_sql(statement)


def _record(tx: Connection) -> None:
    """The inspector's record: a stream like the others, whose rows stay."""
    tx.exec_driver_sql(f"CREATE TABLE outbox_record ({_MESSAGE_COLUMNS})")


def _seals(tx: Connection) -> None:
    """Who signed a command, with which nonce, and who sat at the other end of the local socket."""
    for column in ("signed_by TEXT", "nonce TEXT", "peer TEXT"):
        tx.exec_driver_sql(f"ALTER TABLE inbox ADD COLUMN {column}")
    tx.exec_driver_sql("CREATE INDEX inbox_nonce ON inbox (nonce) WHERE nonce IS NOT NULL")


def _estimates(tx: Connection) -> None:
    """Remaining life of each lot, demand of each product: streams like the others."""
    for stream in ("shelflife", "forecast"):
        tx.exec_driver_sql(f"CREATE TABLE outbox_{stream} ({_MESSAGE_COLUMNS})")


def _shop(tx: Connection) -> None:
    """What was sold, what weather was expected, what is planned, what was forecast. Days count from 0001-01-01."""
    for statement in (
        "CREATE TABLE sale (product TEXT NOT NULL, day INTEGER NOT NULL, source TEXT NOT NULL, unit TEXT NOT NULL,"
        " qty REAL NOT NULL, back REAL NOT NULL, weight_g REAL NOT NULL, is_open INTEGER, promo REAL, price REAL,"
        " stockout_min INTEGER, sold_out_at TEXT, PRIMARY KEY (product, day, source, unit)) WITHOUT ROWID",
        "CREATE TABLE undated_sale (id INTEGER PRIMARY KEY, product TEXT NOT NULL, unit TEXT NOT NULL,"
        " clock INTEGER NOT NULL, mono_ms INTEGER NOT NULL, qty REAL NOT NULL, back REAL NOT NULL,"
        " weight_g REAL NOT NULL)",
        "CREATE TABLE empty_shelf (id INTEGER PRIMARY KEY, product TEXT NOT NULL, clock INTEGER NOT NULL,"
        " mono_ms INTEGER NOT NULL, is_empty INTEGER NOT NULL)",
        "CREATE TABLE weather (day INTEGER NOT NULL, issued_ms INTEGER NOT NULL, temp_c REAL, precip_mm REAL,"
        " PRIMARY KEY (day, issued_ms)) WITHOUT ROWID",
        "CREATE TABLE planned (kind TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
        " product TEXT NOT NULL, name TEXT NOT NULL, value REAL,"
        " PRIMARY KEY (kind, first, last, product, name)) WITHOUT ROWID",
        "CREATE TABLE import_file (sha256 TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,"
        " at_ms INTEGER NOT NULL, rows INTEGER NOT NULL, upto TEXT) WITHOUT ROWID",
        "CREATE TABLE import_aside (sha256 TEXT NOT NULL, row INTEGER NOT NULL, text TEXT NOT NULL,"
        " reason TEXT NOT NULL, PRIMARY KEY (sha256, row)) WITHOUT ROWID",
        "CREATE TABLE forecast (product TEXT NOT NULL, made INTEGER NOT NULL, first INTEGER NOT NULL,"
        " unit TEXT NOT NULL, quantiles BLOB NOT NULL, is_open TEXT NOT NULL, basis TEXT NOT NULL,"
        " reasons TEXT NOT NULL, model TEXT, PRIMARY KEY (product, made)) WITHOUT ROWID",
    ):
        tx.exec_driver_sql(statement)


AGENT: Sequence[tuple[int, Step]] = (
    (1, _first_schema),
    (2, _record),
    (3, _seals),
    (4, _estimates),
    (5, _shop),
)


def _first_settings(tx: Connection) -> None:
    for statement in (
        "CREATE TABLE identity (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE calibration (id INTEGER PRIMARY KEY, shelf TEXT NOT NULL, sensor TEXT NOT NULL,"
        " zero_counts INTEGER NOT NULL, counts_per_gram REAL NOT NULL, who TEXT NOT NULL, temperature_c REAL,"
        " boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL, clock TEXT NOT NULL)",
        "CREATE TABLE mirror (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    ):
        tx.exec_driver_sql(statement)


def _calibration_history(tx: Connection) -> None:
    """What a calibration was made of: points, known weights, what they showed."""
    for column in ("points TEXT", "weights_g TEXT", "residuals_g TEXT", "note TEXT NOT NULL DEFAULT ''"):
        tx.exec_driver_sql(f"ALTER TABLE calibration ADD COLUMN {column}")


SETTINGS: Sequence[tuple[int, Step]] = ((1, _first_settings), (2, _calibration_history))


def migrate(engine: Engine, steps: Sequence[tuple[int, Step]], application_id: int) -> int:
    """Bring a file up to the last step; answers the version it had. Raises StorageNewer for one from the future, and
    StorageForeign for one of another program.
    """
    with engine.connect() as tx:
        found = int(tx.exec_driver_sql("PRAGMA user_version").scalar_one())
        owner = int(tx.exec_driver_sql("PRAGMA application_id").scalar_one())
        empty = tx.exec_driver_sql("SELECT 1 FROM sqlite_master").first() is None
    if not empty and owner != application_id:
        raise StorageForeign(
            f"{engine.url.database}: another program's database (application id {owner:#x}, not {application_id:#x});"
            " name another directory, or move the file away"
        )
    newest = steps[-1][0]
    if found > newest:
        raise StorageNewer(
            f"{engine.url.database}: schema version {found} is newer than this program's {newest};"
            " install the version that wrote it, or move the file away"
        )
    for number, step in steps:
        if number > found:
            with engine.connect() as tx:
                tx.exec_driver_sql("BEGIN IMMEDIATE")
                step(tx)
                tx.exec_driver_sql(f"PRAGMA application_id = {application_id}")
                tx.exec_driver_sql(f"PRAGMA user_version = {number}")
                tx.commit()
    return found
