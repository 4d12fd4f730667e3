"""`bench`: figures that hang together, and nothing left behind."""

from edge_agent.cli.bench import air, rate, write_trace
from edge_agent.cli.exits import Exit


def test_every_figure_is_told_and_no_file_stays(call, tmp_path) -> None:
    told = call("bench", "--seconds", 0.05, "--directory", tmp_path, "--json")
    assert told.code == Exit.OK, told
    figures = {figure["name"]: figure for figure in told.json}
    assert len(figures) >= 8
    assert all(figure["value"] > 0 and figure["unit"] for figure in figures.values())
    readings = figures["commit: readings on the disk, 10 s a batch"]["value"]
    commits = figures["commit: batches, each with its fsync"]["value"]
    assert round(readings / commits) == 160
    assert list(tmp_path.iterdir()) == []


def test_the_table_names_the_same_figures(call, tmp_path) -> None:
    told = call("bench", "--seconds", 0.02, "--directory", tmp_path)
    assert told.code == Exit.OK
    for words in ("decide:", "commit:", "render:", "driver:", "replay:", "x real time"):
        assert words in told.out


def test_a_directory_that_is_not_there_is_named(call, tmp_path) -> None:
    told = call("bench", "--directory", tmp_path / "nowhere")
    assert told.code == Exit.USAGE
    assert "nowhere: No such file or directory" in told.err


def test_a_rate_counts_what_was_done() -> None:
    calls: list[int] = []
    made = rate(calls.append, 0.05)
    assert calls == list(range(len(calls))), "the first warms up, the others count"
    assert 0 < made <= len(calls) / 0.05


def test_the_generated_recording_holds_what_it_says(tmp_path) -> None:
    path = tmp_path / "trace.csv"
    write_trace(path, 60.0, 3)
    header, first, _, third = path.read_text().splitlines()
    assert header.split(",")[:3] == ["time", "t0", "h0"]
    assert first.split(",")[0] == "2026-11-23 07:00:00"
    assert third.split(",")[0] == "2026-11-23 07:02:00"
    assert [float(cell) for cell in third.split(",")[1:3]] == list(air(2, 0))
