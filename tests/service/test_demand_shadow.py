"""A new demand model beside the one in use, night after night: it takes over, or it is dropped, by what was sold."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from model_files import NOW, SETTINGS, bundle, ship

from edge_agent.decide.models import Action, ChangeModel
from edge_agent.demand.contest import losses
from edge_agent.demand.forecaster import forecast
from edge_agent.demand.panel import Panel
from edge_agent.domain.command import Command, ResultCode
from edge_agent.domain.forecast import LEVELS
from edge_agent.domain.shop import Unit
from edge_agent.inference.model import open_model
from edge_agent.service.demand_shadow import compare, contest_of
from edge_agent.service.model_store import ModelStore
from edge_agent.service.models import Models
from edge_agent.service.shop_days import ShopDays
from tests.demand.shops import shop
from tests.service.worse_models import CARD, FILE, same, worse

NAME = "demand-q11"
DAYS = 160
PANEL = shop(DAYS, products=18)


def days_upto(column: int, panel: Panel = PANEL, ran_out: np.ndarray | None = None) -> ShopDays:
    """What a night sees whose last day is that column."""
    known = panel.upto(column)
    series = len(known.names)
    out = np.zeros(known.qty.shape, np.bool_) if ran_out is None else ran_out[:, : column + 1]
    return ShopDays(known, (Unit.UNITS,) * series, ((),) * series, np.ones(14, np.bool_), 0, out)


class Node:
    """The models of one state directory, the shipped one in use; nights go by."""

    def __init__(self, folder, settings=SETTINGS):
        self.store = ModelStore(folder / "models")
        self.models = Models(settings, self.store, ship(folder / "shipped", CARD, FILE))

    def install(self, card, file) -> None:
        command = Command(f"in-{card.version}", "model", {}, "cli", NOW)
        asked = ChangeModel(command, Action.INSTALL, bundle=bundle(card, file))
        result = self.models.change(asked, NOW)
        assert result.code is ResultCode.DONE, result.message

    def night(self, column: int, panel: Panel = PANEL, ran_out: np.ndarray | None = None) -> int:
        in_use = self.models.use(NAME)
        return compare(days_upto(column, panel, ran_out), in_use, None, contest_of(self.models, NAME), NOW)

    @property
    def decision(self) -> str:
        return self.store.notes(NAME).decision

    @property
    def versions(self) -> tuple[str | None, str | None]:
        ((_, active, shadow),) = self.models.versions()
        return active, shadow


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def test_one_that_is_no_worse_takes_over_after_the_days_that_are_wanted(node):
    node.install(*same("1.1"))
    for column in range(DAYS - SETTINGS.shadow_days, DAYS):
        assert node.versions == ("1.0", "1.1")
        node.night(column)
    assert node.versions == ("1.1", None)
    assert node.models.use(NAME).model.version == "1.1"
    assert "not worse" in node.decision


def test_one_that_is_worse_is_dropped_after_a_week(node):
    node.install(*worse("1.1"))
    for column in range(DAYS - 7, DAYS):
        assert node.versions == ("1.0", "1.1")
        node.night(column)
    assert node.versions == ("1.0", None)
    assert "worse" in node.decision


def test_without_a_shadow_nothing_is_compared(node):
    assert node.night(DAYS - 1) == 0


def test_missed_nights_are_made_up_and_days_before_the_shadow_came_are_not(node):
    node.install(*same("1.1"))
    assert node.night(DAYS - 10) == 1
    assert node.night(DAYS - 6) == 4
    assert node.night(DAYS - 6) == 0
    shadow, _ = node.models.compared(NAME)
    days = [day.day for day in shadow.days]
    assert days == [PANEL.day(DAYS - 10) + timedelta(days=step) for step in range(5)]


def test_what_ran_out_and_what_was_shut_does_not_count(node):
    node.install(*same("1.1"))
    ran_out = np.zeros(PANEL.qty.shape, np.bool_)
    ran_out[:5, DAYS - 2] = True
    is_open = PANEL.is_open.copy()
    is_open[:, DAYS - 1] = False
    shut = replace(PANEL, is_open=is_open)
    assert node.night(DAYS - 2, shut, ran_out) == 1
    assert node.night(DAYS - 1, shut, ran_out) == 0
    shadow, _ = node.models.compared(NAME)
    assert [day.outcomes for day in shadow.days] == [13]


def test_the_losses_are_those_of_what_both_say_a_day_and_a_week_before():
    new, old = (open_model(file, card) for card, file in (worse("1.1"), same("1.0")))
    column = DAYS - 1
    found = losses(PANEL, column, np.ones(18, np.bool_), new, old, None)
    wanted = []
    for row in range(18):
        pair = []
        for model in (new, old):
            each = []
            for lead in (1, 7):
                told = forecast(PANEL, column - lead, model, None, 14).quantiles[row, lead - 1]
                y = PANEL.qty[row, column]
                each.append(np.mean([max(p * (y - q), (p - 1) * (y - q)) for p, q in zip(LEVELS, told, strict=True)]))
            pair.append(float(np.mean(each)))
        wanted.append(tuple(pair))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert sum(new for new, _ in found) > 1.1 * sum(old for _, old in found)
