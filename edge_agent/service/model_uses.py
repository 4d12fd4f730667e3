"""What this programme asks of which model, and what goes on without it. The names are for every agent: the rooms of the
models are imported with the first card."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.inference.card import ModelCard

DEMAND, LIVES = "demand-q11", "spoilage-q5"
FALL_BACKS = {
    DEMAND: "the forecasts go on with the simple methods",
    LIVES: "the remaining lives go on with the physics",
}


def check_use(card: "ModelCard") -> None:
    """A sound file of another task, or with other inputs, is of no use to it. Raises ModelRefused.

    A model of a name that nobody asks for may be what it likes.
    """
    from edge_agent.inference.errors import ModelRefused

    if card.name not in FALL_BACKS:
        return
    task, inputs, outputs = _of_demand() if card.name == DEMAND else _of_lives()
    if card.task != task:
        raise ModelRefused(f"its task is {card.task}: {card.name} must be one of {task}")
    for what, asked, specs in (("inputs", inputs, card.inputs), ("outputs", outputs, card.outputs)):
        found = tuple(spec.name for spec in specs)
        if found != asked:
            odd = next((name for name in (*found, *asked) if name not in found or name not in asked), "their order")
            raise ModelRefused(f"its {len(found)} {what} are not the {len(asked)} that this programme knows: {odd}")


def _of_demand() -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    from edge_agent.demand import features, net

    return "demand", features.NAMES, tuple(spec.name for spec in net.OUTPUTS)


def _of_lives() -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    from edge_agent.spoilage import features, net

    return "spoilage", tuple(name for name, _ in features.NAMES), net.OUTPUTS
