"""The campaign of scripts/chaos install, in little."""

import argparse
import os

import pytest
from chaos_parts import install
from chaos_parts.children import CampaignError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="install.sh wants root")


@pytest.mark.parametrize("act", ["cut", "full"])
def test_a_cut_or_a_full_card_leaves_a_whole_version(act: str) -> None:
    args = argparse.Namespace(times=2, seed=3, quick=False, only=act)
    try:
        figures = install.campaign(args, lambda words: None)
    except CampaignError as error:
        if "mount" not in str(error):
            raise
        pytest.skip(f"no file system can be mounted here: {error}")
    assert [figure.name for figure in figures if not figure.is_met] == []
