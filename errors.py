"""The exceptions that reach the user as a sentence instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

SAID = 300  # characters of somebody else's message


class InputError(ValueError):
    """What the user gave is wrong: says what, where, what was expected and what to do.

    `run.py` prints it and exits with status 2; anything else is a fault of ours.
    """


class OtherModel(InputError):
    """A kernel or guide was written for another model: `sites` are the latents that it knows."""

    def __init__(self, name: str, sites: Iterable[str], wanted: Iterable[str]) -> None:
        self.sites = sorted(sites)
        super().__init__(f"{name} is of another model: its sites are {', '.join(self.sites)}, and this model's are "
                         f"{', '.join(wanted)}")


class Interrupted(Exception):
    """The user asked to stop; the step was finished and what was reached is saved. Exit status: 128 and the signal's
    number, 130 for Ctrl-C."""

    def __init__(self, words: str, signum: int = 2) -> None:
        super().__init__(words)
        self.signum = signum


def short(said: object, limit: int = 60) -> str:
    """What somebody else wrote, fit to stand in a sentence of ours: one line, printable, its middle left out.

    >>> short("9" * 400, 12), short("no\\x1b[31m\\n file")
    ('9999...99999', 'no?[31m file')
    """
    words = "".join(c if c.isprintable() else "?" for c in " ".join(str(said).split()))
    return words if len(words) <= limit else f"{words[:limit // 2 - 2]}...{words[-(limit - limit // 2 - 1):]}"


def unknown(what: str, given: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not one of `known`, with the nearest one suggested.

    >>> print(unknown("method", "gibs", ["strip", "gibbs"]))
    unknown method 'gibs': did you mean 'gibbs'? known are gibbs, strip
    >>> print(unknown("way", "nonsense", ["contrastive_divergence", "em"]))
    unknown way 'nonsense': known are contrastive_divergence, em
    """
    known, given = sorted(known), short(given)
    near = get_close_matches(given, known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return InputError(f"unknown {what} '{given}': {hint}known are {listed(known)}")


def listed(names: Sequence[str], most: int = 150) -> str:
    """As many of the names as so many characters hold; at least one.

    >>> listed(["ab", "cd", "ef"], 6), listed(["ab", "cd"]), listed([])
    ('ab, cd and 1 more', 'ab, cd', 'none')
    """
    count = len(names)
    while count > 1 and sum(map(len, names[:count])) + 2 * (count - 1) > most:
        count -= 1
    more = f" and {len(names) - count} more" if count < len(names) else ""
    return ", ".join(names[:count]) + more if names else "none"


def last_line(error: BaseException, path: object) -> int | str:
    """The line of the file where an exception left it."""
    trace, line = error.__traceback__, "?"
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = str(trace.tb_lineno)
        trace = trace.tb_next
    return line


@contextmanager
def blaming(what: str, *files: str) -> Iterator[None]:
    """What is raised in a user's file is said of its line; what is raised without any of them is ours."""
    try:
        yield
    except InputError as error:  # Pyro writes the shapes of all sites below whatever is raised in a model
        raise type(error)(str(error).partition("\nTrace Shapes:")[0]) from error
    except Exception as error:
        line = next((found for file in files if (found := last_line(error, file)) != "?"), None)
        if line is None:
            raise
        said = " ".join(str(error).partition("\nTrace Shapes:")[0].split())
        mixed = "; everything is computed in float64: leave dtypes out" if "dtype" in said else ""
        raise InputError(f"{what} raises {type(error).__name__}, line {line}: {short(said, SAID)}{mixed}") from error
