from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, NullPool, create_engine, inspect

from edge_agent.domain.message import Stream
from edge_agent.storage.errors import StorageForeign, StorageNewer
from edge_agent.storage.inbox import APPLICATION_ID
from edge_agent.storage.migrations import AGENT, SETTINGS, Step, migrate
from edge_agent.storage.settings_file import SettingsFile
from edge_agent.storage.shop_schema import all_tables


def file_of_version(path: Path, steps: Any, version: int, application_id: int) -> None:
    """As the program of that time made it."""
    engine = create_engine(f"sqlite:///{path}")
    if version:
        migrate(engine, steps[:version], application_id)
    engine.dispose()


@pytest.mark.parametrize("version", range(len(AGENT) + 1))
def test_every_old_file_becomes_a_working_one(tmp_path: Path, open_store: Any, build: Any, version: int) -> None:
    file_of_version(tmp_path / "agent.db", AGENT, version, APPLICATION_ID)
    store = open_store()
    store.commit([build.sample(build.at(1))], [build.event(build.at(1))])
    assert store.quarantined is None
    assert store.pending(Stream.EVENT, 0, 1)[0].content == build.event(build.at(1))


@pytest.mark.parametrize("version", range(len(SETTINGS) + 1))
def test_every_old_settings_file_becomes_a_working_one(tmp_path: Path, build: Any, version: int) -> None:
    file_of_version(tmp_path / "settings.db", SETTINGS, version, 0x65646753)
    file = SettingsFile.open(tmp_path, build.at(0))
    file.mirror("tare/shelf-1", b"120.5")
    assert file.mirrored() == {"tare/shelf-1": b"120.5"}
    file.close()


def test_the_steps_are_numbered_from_one_without_gaps() -> None:
    for steps in (AGENT, SETTINGS):
        assert [number for number, _ in steps] == list(range(1, len(steps) + 1))


def test_the_tables_of_the_code_are_those_of_the_file(tmp_path: Path) -> None:
    file_of_version(tmp_path / "agent.db", AGENT, len(AGENT), APPLICATION_ID)
    engine = create_engine(f"sqlite:///{tmp_path / 'agent.db'}")
    found = inspect(engine)
    assert set(found.get_table_names()) == set(all_tables())
    for name, table in all_tables().items():
        assert [column["name"] for column in found.get_columns(name)] == [column.name for column in table.c], name
    engine.dispose()


def test_a_file_from_the_future_is_a_clear_error_and_left_alone(tmp_path: Path, open_store: Any) -> None:
    open_store().close()
    engine = create_engine(f"sqlite:///{tmp_path / 'agent.db'}")
    with engine.connect() as tx:
        tx.exec_driver_sql("PRAGMA user_version = 99")
    engine.dispose()
    with pytest.raises(StorageNewer, match=r"schema version 99 is newer than this program's 5"):
        open_store()
    assert list(tmp_path.glob("*.corrupt-*")) == []


@pytest.mark.parametrize("name", ["agent.db", "settings.db"])
def test_a_file_of_another_program_is_a_clear_error_and_left_alone(
    tmp_path: Path, open_store: Any, build: Any, name: str
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / name}")
    with engine.connect() as tx:
        tx.exec_driver_sql("CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(StorageForeign, match=rf"{name}: another program's database \(application id 0x0, not 0x65646"):
        open_store() if name == "agent.db" else SettingsFile.open(tmp_path, build.at(0))
    assert list(tmp_path.glob("*.corrupt-*")) == []
    assert inspect(engine).get_table_names() == ["bookmarks"]
    engine.dispose()


def test_a_file_of_zero_bytes_is_begun(tmp_path: Path, open_store: Any) -> None:
    (tmp_path / "agent.db").touch()
    store = open_store()
    assert store.quarantined is None
    assert store.epoch


def test_a_step_that_fails_leaves_the_file_at_the_version_before(tmp_path: Path) -> None:
    def broken(tx: Any) -> None:
        tx.exec_driver_sql("CREATE TABLE half (x)")
        tx.exec_driver_sql("CREATE TABLE state (twice)")

    engine = create_engine(f"sqlite:///{tmp_path / 'agent.db'}")
    with pytest.raises(Exception, match="already exists"):
        migrate(engine, [*AGENT, (len(AGENT) + 1, broken)], APPLICATION_ID)
    with engine.connect() as tx:
        assert tx.exec_driver_sql("PRAGMA user_version").scalar() == len(AGENT)
    assert "half" not in inspect(engine).get_table_names()
    assert migrate(engine, AGENT, APPLICATION_ID) == len(AGENT)
    engine.dispose()


@settings(deadline=None)  # each example makes files: milliseconds, on a disk that does nothing else
@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.integers(0, 2))
def test_an_update_cut_off_anywhere_ends_like_one_that_was_not(failures: list[int], rows: int) -> None:
    """Each step may fail some times (a full disk, a power cut) before it passes; no step runs twice to its end."""
    left = list(failures)

    def step(number: int) -> tuple[int, Step]:
        def run(tx: Connection) -> None:
            tx.exec_driver_sql(f"CREATE TABLE made_{number} (value INTEGER)")
            for value in range(rows):
                tx.exec_driver_sql(f"INSERT INTO made_{number} VALUES ({value})")
            if left[number - 1]:
                left[number - 1] -= 1
                raise OSError("the power went")

        return number, run

    steps = [step(number) for number in range(1, len(failures) + 1)]
    with TemporaryDirectory() as directory:
        engine = create_engine(
            f"sqlite:///{directory}/agent.db", connect_args={"isolation_level": None}, poolclass=NullPool
        )
        attempts = 0
        while True:
            attempts += 1
            try:
                migrate(engine, steps, 0x1234)
                break
            except OSError:
                assert attempts <= sum(failures)
        assert attempts == sum(failures) + 1
        with engine.connect() as tx:
            assert tx.exec_driver_sql("PRAGMA user_version").scalar() == len(failures)
            counts = [tx.exec_driver_sql(f"SELECT count(*) FROM made_{n}").scalar() for n, _ in steps]
        assert counts == [rows] * len(failures)
