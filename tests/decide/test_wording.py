"""Who asked, in words that nobody can forge."""

import pytest

from edge_agent.decide.wording import who
from edge_agent.domain.command import Command, Seal
from edge_agent.domain.instant import Instant

AT = Instant(0, 0, "boot")
OFFICE = Seal("office", "n" * 16)
TILL = "till uid=1000 pid=7"


@pytest.mark.parametrize(
    ("source", "said", "seal", "peer", "told"),
    [
        ("mqtt", None, None, "", "mqtt"),
        ("mqtt", "ann", None, "", "mqtt:ann"),
        ("mqtt", "ann", OFFICE, "", "mqtt:ann (key office)"),
        ("mqtt", None, OFFICE, "", "mqtt (key office)"),
        ("mqtt", "office", OFFICE, "", "mqtt:office (key office)"),
        ("mqtt", "office", None, "", "mqtt:office"),
        ("local", None, None, TILL, "local:till"),
        ("local", "till", None, TILL, "local:till"),
        ("local", " ann ", None, TILL, "local:ann (till)"),
        ("local", "ann", OFFICE, TILL, "local:ann (key office)"),
        ("cli", "ann", None, "", "cli:ann"),
    ],
)
def test_what_is_proved_stands_in_parentheses(source, said, seal, peer, told):
    arguments = {} if said is None else {"who": said}
    assert who(Command("1", "set", arguments, source, AT, seal=seal, peer=peer)) == told


@pytest.mark.parametrize("said", ["ann (key office)", "ann)", "x" * 65, "a\nb", "\u202eann", 7, ["ann"], None])
def test_a_name_that_would_pass_for_more_is_refused(said):
    with pytest.raises(ValueError, match="who = "):
        who(Command("1", "set", {"who": said}, "mqtt", AT))
