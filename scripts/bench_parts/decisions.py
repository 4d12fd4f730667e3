"""What the agent decides, without its storage and its publisher: those decide nothing, and take most of the time."""

from collections.abc import Callable, Iterator, Sequence

from edge_agent.config import Settings
from edge_agent.decide import Decision, Gathered, Memory, decide
from edge_agent.domain.command import Command
from edge_agent.domain.instant import Instant
from edge_agent.drivers.seam import Board
from edge_agent.service.build import open_sensors, plan_of
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.polling import Polled

Commands = Callable[[Instant], Sequence[Command]]


def decisions(
    settings: Settings, board: Board, cycle_s: float, commands: Commands = lambda _: ()
) -> Iterator[tuple[Decision, Instant]]:
    """One for each row of a recording, else for every ``cycle_s`` of a stepped clock, for ever. Closes the board."""
    is_recording = board.moments() is not None
    plan, memory, watch = plan_of(settings, is_recording=is_recording), Memory(), ClockWatch(board.clock)
    polled: list[Polled] = []
    try:
        with board.driving():
            polled += open_sensors(settings, board)
            for due in _due(board, polled, cycle_s):
                watch.look()
                at = watch.now()
                samples = [each.take(at) for each in due]
                now = watch.now()  # conversions take their time
                decision = decide(memory, plan, Gathered(now, samples, commands(now)))
                memory = decision.memory
                yield decision, now
    finally:
        for each in polled:
            each.sensor.close()
        board.close()


def _due(board: Board, polled: Sequence[Polled], cycle_s: float) -> Iterator[Sequence[Polled]]:
    moments = board.moments()
    if moments is not None:
        for moment in moments:
            yield [each for each in polled if moment.sensors is None or each.name in moment.sensors]
        return
    began_s = board.clock.monotonic_s()
    cycles = 0
    while True:
        yield polled
        cycles += 1
        board.clock.sleep(began_s + cycles * cycle_s - board.clock.monotonic_s())
