"""What a check found, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"  # it works, and will not for ever or not well
    FAIL = "fail"  # something does not work


@dataclass(frozen=True, slots=True)
class Finding:
    part: str  # "bus", "broker", ...
    verdict: Verdict
    words: str
    cure: str = ""  # of everything that is not ok


def ok(part: str, words: str) -> Finding:
    return Finding(part, Verdict.OK, words)


def warn(part: str, words: str, cure: str) -> Finding:
    return Finding(part, Verdict.WARN, words, cure)


def fail(part: str, words: str, cure: str) -> Finding:
    return Finding(part, Verdict.FAIL, words, cure)


def exit_code(findings: Iterable[Finding]) -> int:
    """0 all is well, 1 something is to be looked at, 2 something does not work.

    >>> exit_code([]), exit_code([ok("disk", "")]), exit_code([warn("disk", "", ""), fail("bus", "", "")])
    (0, 0, 2)
    """
    verdicts = {finding.verdict for finding in findings}
    if Verdict.FAIL in verdicts:
        return 2
    return 1 if Verdict.WARN in verdicts else 0
