"""Questions with a default each, answered by a person, a file, or nobody."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches


class Unanswered(Exception):
    """An answer that cannot be taken, and nobody to ask again; names the question and what is right."""


@dataclass(frozen=True, slots=True)
class Question:
    key: str  # in an answers file
    words: str
    default: str
    check: Callable[[str], str | None] = lambda answer: None  # what would be right; None: the answer is


Source = Callable[[Question], str | None]  # None or "": the default


@dataclass(slots=True)
class Interview:
    """Asks, checks, counts."""

    source: Source
    complain: Callable[[str], None] | None  # where a person can be asked again; None: a wrong answer is the end
    asked: list[Question] = field(default_factory=list)

    def __call__(self, question: Question) -> str:
        self.asked.append(question)
        while True:
            answer = (self.source(question) or "").strip() or question.default
            right = question.check(answer)
            if right is None:
                return answer
            wrong = f"{answer!r} will not do: must be {right}"
            if self.complain is None:
                raise Unanswered(f"{question.key}: {wrong}")
            self.complain(wrong)

    def yes(self, key: str, words: str, *, default: bool) -> bool:
        answer = self(Question(key, words, "yes" if default else "no", _yes_or_no))
        return answer.lower() in _YES


_YES, _NO = ("yes", "y"), ("no", "n")


def _yes_or_no(answer: str) -> str | None:
    return None if answer.lower() in (*_YES, *_NO) else "yes or no"


def of_nobody(question: Question) -> str | None:
    """Every default."""
    return None


def of_answers(answers: Mapping[str, str]) -> Source:
    return lambda question: answers.get(question.key)


def left_over(answers: Mapping[str, str], interview: Interview) -> list[str]:
    """Answers to what was not asked, in words: a misspelt key, or a chip that does not answer any more."""
    keys = [question.key for question in interview.asked]
    return [_not_asked(key, keys) for key in answers if key not in keys]


def _not_asked(key: str, keys: list[str]) -> str:
    meant = get_close_matches(key, keys, 1)
    return f"{key}: nobody asked that" + (
        f"; did you mean {meant[0]!r}?" if meant else f"; asked were {', '.join(keys)}"
    )
