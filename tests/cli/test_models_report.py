"""`edge-agent models report` on a shop whose nights were really worked, against the same figures reckoned directly."""

import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from model_files import NOW, PUBLIC, bundle

from edge_agent.config import load
from edge_agent.decide.models import Action, ChangeModel
from edge_agent.demand.experts import forecasts, histories
from edge_agent.demand.scoring import DECILES, score, truth
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.forecast import LEVELS
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.shop import PlanKind, Planned, Sale, Source, Unit
from edge_agent.service.demand import Places, night, read_from
from edge_agent.service.model_store import ModelStore
from edge_agent.service.models import InUse, Models
from edge_agent.spoilage.offsets import Offsets, Outcome, with_outcome, written
from edge_agent.storage import shop
from edge_agent.storage.shop import ShopFile
from edge_agent.storage.store import Store
from tests.service.worse_models import FOLDER, same

TODAY = date(2024, 3, 25)  # a Monday, and no future of any machine
HISTORY_D, NIGHTS, EVERY_D = 100, 5, 4
HORIZON_D = 7
SHUT = TODAY - timedelta(days=11)
USUAL = {"4011": 40, "4012": 6, "4013": 18}
PRODUCTS = "".join(f'\n[[product]]\ngtin = "{gtin}"\nname = "Product {gtin}"\n' for gtin in USUAL)
NO_MODEL = InUse(None, reason="not here")
ZONE = '\n[shop]\ntime_zone = "UTC"\n'


def at(day: date, hour: float = 3.0) -> Instant:
    wall = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)
    return Instant(1, round(1000 * wall.timestamp()), "night", ClockState.SYNCED)


def sales(first: date, last: date) -> list[Sale]:
    """Shut on Sundays and once more by plan; every second Friday the first product runs out at noon."""
    found = []
    for step in range((last - first).days + 1):
        day = first + timedelta(days=step)
        chance = random.Random(day.toordinal())
        for product, usual in USUAL.items():
            qty = float(round(usual * (2.0 if day.weekday() == 5 else 1.0) * chance.uniform(0.6, 1.4)))
            sale = Sale(product, day, Source.IMPORT, Unit.UNITS, qty)
            if product == "4011" and day.weekday() == 4 and day.toordinal() % 2:
                sale = replace(sale, qty=qty / 2, sold_out_at="12:00")
            if day.weekday() != 6 and day != SHUT:
                found.append(sale)
    return found


def bring_in(file: ShopFile, first: date, morning: date) -> None:
    found = sales(first, morning - timedelta(days=1))
    file.import_sales(morning.isoformat().encode(), "till.csv", found, (), at(morning), add=False)


def mornings() -> list[date]:
    return [TODAY - timedelta(days=2 + EVERY_D * step) for step in reversed(range(NIGHTS))]


@pytest.fixture(scope="module")
def worked(healthy, tmp_path_factory) -> Path:
    """A configuration whose shop has worked five nights within its last four weeks."""
    folder = tmp_path_factory.mktemp("shop")
    config = folder / "agent.toml"
    config.write_text(healthy.read_text().replace(load(healthy).storage.directory, str(folder / "state")) + PRODUCTS)
    config.write_text(config.read_text() + ZONE)
    settings = load(config)
    store = Store.open(settings.storage, "node-1", at(TODAY))
    file = ShopFile.open(folder / "state")
    begin = TODAY - timedelta(days=HISTORY_D)
    file.import_plans(b"plan", "plans.csv", [Planned(PlanKind.CLOSED, SHUT, SHUT)], (), at(begin))
    known = begin
    places = Places(store, settings.products, settings.shop, replace(settings.demand, budget_s=1.0), lambda: NO_MODEL)
    for morning in mornings():
        bring_in(file, known, morning)
        known = morning
        done = night(places, morning, at(morning))
        store.commit(memory=dict(done.rows))
    bring_in(file, known, TODAY)
    store.close()
    return config


def directly(config: Path):
    """(truth of what counts, ours, one simple method), by the scoring module and the rows alone."""
    settings = load(config)
    file = ShopFile.open(Path(settings.storage.directory))
    after = TODAY + timedelta(days=HORIZON_D)  # days of which nothing is known count as shut
    days = read_from(file.reading, settings.products, settings.shop, settings.demand, after, at(TODAY).wall_ms)
    panel = days.panel
    with file.reading() as tx:
        kept = shop.forecasts(tx, date(2024, 1, 1), TODAY)
    made = sorted({found.made for found in kept})
    origins = [(day - panel.first).days - 1 for day in made]
    of = truth(panel, origins, HORIZON_D)
    told = np.zeros((len(panel.names), len(made), HORIZON_D, len(LEVELS)))
    for found in kept:
        quantiles = [day.quantiles for day in found.days[:HORIZON_D]]
        told[panel.names.index(found.product), made.index(found.made)] = quantiles
    for place, origin in enumerate(origins):
        of.counts[:, place] &= ~days.ran_out[:, origin + 1 : origin + 1 + HORIZON_D]
    levels = [LEVELS.index(level) for level in DECILES]
    ours = score(of, told[..., LEVELS.index(0.5)], told[..., levels])
    rows, imputed = np.arange(len(panel.names)), panel.imputed()
    theta = [
        forecasts(histories(imputed, panel.start, rows, np.full(len(rows), origin)), HORIZON_D, DECILES)["theta"]
        for origin in origins
    ]
    other = score(of, np.stack([one.point for one in theta], 1), np.stack([one.quantiles for one in theta], 1))
    return of, ours, other


def test_the_figures_are_those_of_the_scoring_module_on_the_kept_rows(call, worked):
    told = call("models", "report", "--json", "--config", worked)
    assert told.code == 0, told.err
    (body,) = told.json
    of, ours, theta = directly(worked)
    assert body["days"] == of.counts.sum() == ours.n
    for name, found in (("ours", ours), ("theta", theta)):
        for key, value in body["methods"][name].items():
            assert value == pytest.approx(getattr(found, key), rel=1e-6), (name, key)
    assert body["ratios"]["theta"]["ratio"] == pytest.approx(ours.wql / theta.wql, rel=1e-6)
    assert body["ratios"]["theta"]["low"] <= body["ratios"]["theta"]["ratio"] <= body["ratios"]["theta"]["high"]
    assert 0 < ours.wql < 1
    assert body["night"] == max(mornings()).isoformat()


def test_days_that_ran_out_or_were_shut_are_no_part_of_it(call, worked):
    (body,) = call("models", "report", "--json", "--config", worked).json
    days = [morning + timedelta(days=step) for morning in mornings() for step in range(HORIZON_D)]
    is_open = [day for day in days if day.weekday() != 6 and day != SHUT and day < TODAY]
    assert max(days) > TODAY, "of the last forecast two days have come"
    ran_out = [day for day in is_open if day.weekday() == 4 and day.toordinal() % 2]
    assert SHUT in days
    assert ran_out
    assert body["left_out"] == len(ran_out)
    assert body["days"] == len(USUAL) * len(is_open) - len(ran_out)


def test_each_week_has_its_losses_and_ratios_and_together_they_are_the_whole(call, worked):
    (body,) = call("models", "report", "--json", "--config", worked).json
    assert set(body["weeks"]) == {(day - timedelta(days=day.weekday())).isoformat() for day in mornings()}
    assert sum(week["days"] for week in body["weeks"].values()) == body["days"]
    for week in body["weeks"].values():
        assert week["ratio"]["ses"] == pytest.approx(week["wql"]["ours"] / week["wql"]["ses"])
        assert 0 <= week["cov80"] <= week["cov90"] <= 1
    share = sum(week["cov90"] * week["days"] for week in body["weeks"].values()) / body["days"]
    assert share == pytest.approx(body["methods"]["ours"]["cov90"])


def test_fewer_weeks_look_back_less_far(call, worked):
    (body,) = call("models", "report", "--weeks", "1", "--json", "--config", worked).json
    assert len(body["weeks"]) < len({day.isocalendar().week for day in mornings()})
    assert call("models", "report", "--weeks", "0", "--config", worked).code == 2


def test_the_page_stands_alone_and_has_both_plots(call, worked, tmp_path):
    out = tmp_path / "report.html"
    told = call("models", "report", "--html", out, "--config", worked)
    assert (told.code, told.out) == (0, "")
    text = out.read_text("utf-8")
    assert text.count("<svg") == 2
    assert text.count("<polyline") == 7 + 4  # methods; coverage and what is wanted
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "NaN" not in text
    assert "nan" not in text
    assert call("models", "report", "--html", "-", "--config", worked).out.startswith("<!doctype html>")


def test_a_page_that_cannot_be_written_is_named(call, worked, tmp_path):
    told = call("models", "report", "--html", tmp_path / "none" / "a.html", "--config", worked)
    assert told.code == 1
    assert "--html" in told.err
    assert "No such file" in told.err


def test_in_words(call, worked):
    told = call("models", "report", "--config", worked)
    assert "our loss is" in told.out
    assert "the product ran out that day" in told.out
    assert "Week by week" in told.out


def test_the_weeks_are_plotted_for_the_terminal_too(call, worked):
    (body,) = call("models", "report", "--json", "--config", worked).json
    text = call("models", "report", "--config", worked).out
    plot = text.partition("Weighted quantile loss, week by week")[2].partition("\n\n")[0].splitlines()
    drawn = {line[:10]: line[12:] for line in plot[2:-1]}
    assert list(drawn) == sorted(body["weeks"])
    for week, line in drawn.items():
        ours, *others = body["weeks"][week]["wql"].values()
        assert line.count("●") == 1
        if ours < min(others):
            assert line.index("●") <= len(line) - len(line.lstrip()) <= line.index("┤")
    assert "Share of days within the 80 % that were told" in text
    assert "│ wanted: 0.80" in text


def test_a_new_model_beside_the_one_in_use_is_told_with_its_comparison(call, worked, elsewhere):
    config = elsewhere(worked)
    config.write_text(f'{config.read_text()}\n[[models.key]]\nname = "lab"\npublic_key = "{PUBLIC}"\n')
    settings = load(config)
    models = Models(settings.models, ModelStore(Path(settings.storage.directory) / "models"), FOLDER)
    asked = ChangeModel(Command("c", "model", {}, "cli", NOW), Action.INSTALL, bundle=bundle(*same("9.0"), name="lab"))
    assert models.change(asked, NOW).code is ResultCode.DONE
    for number in range(8):
        models.record("demand-q11", TODAY + timedelta(days=number), [(0.9, 1.0)] * 5, NOW)
    answer = call("models", "report", "--json", "--config", config)
    assert answer.code == 0, answer.err
    told = answer.json[0]["shadows"]
    (row,) = told
    assert (row["model"], row["version"], row["days"], row["outcomes"]) == ("demand-q11", "9.0", 8, 40)
    assert "its loss is -10.0%" in row["says"]
    assert "New models beside those in use" in call("models", "report", "--config", config).out
    assert "its loss is -10.0%" in call("models", "report", "--html", "-", "--config", config).out


def test_what_became_of_lots_is_a_table_of_suppliers(call, worked, elsewhere):
    learnt = Offsets()
    for _ in range(12):
        learnt, _ = with_outcome(learnt, Outcome("farm-a", "strawberry", "fruit", "wasted", 0.6, "spoiled"))
    config = elsewhere(worked)
    settings = load(config)
    store = Store.open(settings.storage, "node-1", at(TODAY))
    store.commit(memory={"learnt-lives": json.dumps(written(learnt)).encode()})
    store.close()
    (row,) = call("models", "report", "--json", "--config", config).json[0]["outcomes"]
    assert (row["product"], row["supplier"]) == ("strawberry", "farm-a")
    assert 0.5 < row["factor"] < 0.95
    assert row["outcomes"] > 8
    assert "farm-a" in call("models", "report", "--config", config).out


def test_a_row_of_outcomes_that_nobody_can_read_costs_the_table_and_nothing_else(call, worked, elsewhere):
    config = elsewhere(worked)
    store = Store.open(load(config).storage, "node-1", at(TODAY))
    store.commit(memory={"learnt-lives": b"[1, 2"})
    store.close()
    told = call("models", "report", "--json", "--config", config)
    assert (told.code, told.json[0]["outcomes"]) == (0, [])
