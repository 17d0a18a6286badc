"""Whether the others are still there: every rank leaves a number that grows in the store where all have met.

A rank whose number stands still for `STILL` seconds is gone, killed or cut off, and its run ends everywhere: no sum
would ever be complete again. Whoever waits in a sum cannot look, so a thread does; and as that may wait for the store,
another has the clock.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

BEAT = 1.0  # seconds
STILL = 20.0  # seconds without a sign of life
SILENT = 4.0  # the same where a connection has broken
LEFT = "left"


class Watch:
    """Over the other ranks, by `store`, a torch.distributed.Store that the first rank or torchrun has."""

    def __init__(self, store: Any, rank: int, ranks: int) -> None:
        self.store, self.rank, self.ranks = store.clone(), rank, ranks
        self.store.set_timeout(timedelta(seconds=STILL))
        self.lock, self.why = threading.Lock(), ""
        self.ended = threading.Event()
        self.seen = {other: ("", time.monotonic()) for other in range(ranks) if other != rank}
        self.store.set(f"beat/{rank}", "0")
        self.store.wait([f"beat/{other}" for other in self.seen])
        self.looked = time.monotonic()
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._beat, self._watch)]
        for thread in self.threads:
            thread.start()

    def _beat(self) -> None:
        """Looks every second; where the store cannot be reached it may wait for ever."""
        beat = 0
        with suppress(RuntimeError):
            while not self.ended.wait(BEAT):
                beat += 1
                self._look(str(beat))
                self.looked = time.monotonic()

    def _watch(self) -> None:
        """Ends this process where another is gone."""
        while not self.ended.wait(BEAT):
            blind = time.monotonic() - self.looked
            if blind > STILL:
                self._end(_sentence([0]).replace("rank 0", "rank 0, or its machine, where the ranks have met,", 1))
            if blind < STILL / 2 and (gone := self._still(STILL)):
                self._end(_sentence(gone))

    def _look(self, beat: str) -> None:
        """One's own number out, the others' in."""
        self.store.set(f"beat/{self.rank}", beat)
        now, others = time.monotonic(), list(self.seen)
        found = [value.decode() for value in self.store.multi_get([f"beat/{other}" for other in others])]
        with self.lock:
            self.seen = {other: (value, self.seen[other][1] if value == self.seen[other][0] else now)
                         for other, value in zip(others, found, strict=True)}

    def _still(self, seconds: float) -> list[int]:
        """Who has not been heard of for so long and has not left."""
        now = time.monotonic()
        with self.lock:
            return [other for other, (value, when) in self.seen.items()
                    if value != LEFT and now - when > seconds]

    def _end(self, why: str) -> None:
        print(f"error: {why}", file=sys.stderr, flush=True)
        os._exit(2)

    def gone(self) -> str:
        """Which rank is gone, in a sentence; "" where all turn out to be there."""
        until = time.monotonic() + SILENT + 2 * BEAT
        while not self.why and time.monotonic() < until:
            said = [other for other in self.seen if self.store.check([f"said/{other}"])]
            if said:
                self.why = f"rank {said[0]} has ended with an error of its own, and with it the run"
            elif gone := self._still(SILENT):
                self.why = _sentence(gone)
            time.sleep(BEAT / 5)
        return self.why

    def ending(self, sentence: str) -> str:
        """See `group.ending`."""
        if sentence == self.why:
            return sentence
        try:
            self.store.set(f"said/{self.rank}", sentence)
            if self.rank == 0:
                return sentence
            self.store.wait(["said/0"], timedelta(seconds=2 * BEAT))
            return "" if self.store.get("said/0").decode() == sentence else sentence
        except RuntimeError:
            return sentence

    def leave(self) -> None:
        """This rank has done its part."""
        self.ended.set()
        for thread in self.threads:
            thread.join(2 * BEAT)
        with suppress(RuntimeError):
            self.store.set(f"beat/{self.rank}", LEFT)


def _sentence(gone: list[int]) -> str:
    return (f"rank {' and rank '.join(map(str, gone))} cannot be reached any more, and the run ends; --resume goes on "
            f"from what was saved, with any number of ranks")
