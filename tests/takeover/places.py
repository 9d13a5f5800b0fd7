# SPDX-License-Identifier: Apache-2.0
"""Places in the daemon where the test build looks into a shared file and does what the file says there."""
from __future__ import annotations

import enum
import mmap
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from lib.wait import wait_until

SIZE = 4096
EVER = 1_000_000_000                   # more passes than a test has
UNTRIED = -1                           # no result of a forbidden call yet
UNSAID = (1 << 64) - 1                 # no count yet

# Indexes of words of 4 and of 8 bytes.
ARMED, EVERY, LEFT, ACTION, RESULT = 0, 1, 2, 3, 1024 // 4
PASSES, HITS, COUNTS = 16 // 8, 272 // 8, 1536 // 8


class Place(enum.IntEnum):
    READ = 0                           # the request is in the journal, not handled yet
    TOUCHED = 1                        # touch committed, notification not asked for yet
    CHARGED = 2                        # LOOKUP committed, reply not written
    REPLIED = 3                        # reply written, slot not cleared
    FORGET_BEFORE = 4                  # decremented, not committed
    FORGET_AFTER = 5                   # committed
    LANDED = 6                         # new text committed, nobody answered yet
    REPLAY = 7                         # take-over, before each slot is executed again
    LOOKUP_DURING_NOTIFY = 8           # LOOKUP in hand while the notifier is inside its write
    NOTIFIED = 9                       # notifier, after its write, before it says so
    INTERRUPT = 10                     # INTERRUPT in hand
    SAVE = 11                          # inside a transaction, at each undo record
    STOPPING = 12                      # the worker was told to stop
    FLIGHT = 13                        # flight begun and committed, not asked for yet
    LANDING = 14                       # what a client has left is in hand, not looked at


class Action(enum.IntEnum):
    """A signal to oneself, or a call that a sandbox forbids."""

    KILL = 9
    SEGV = 11
    STOP = 19
    OPEN_TO_READ = 100
    OPEN_TO_WRITE = 101
    SOCKET = 102
    EXECVE = 103
    FORK = 104
    MOUNT = 105
    PTRACE = 106
    ALLOCATE = 107                     # until it fails


FORBIDDEN = [action for action in Action if Action.OPEN_TO_READ <= action <= Action.PTRACE]


class Counts(NamedTuple):
    """What the worker holds, as it says every second."""

    inodes: int
    lookups: int
    slots: int
    underflows: int


class Places:
    """The file; give its path to the daemon in IRSAFS_TEST_PLACES."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(SIZE))
        with path.open("r+b") as file:
            shared = memoryview(mmap.mmap(file.fileno(), SIZE))
        self._words, self._signed, self._longs = (shared.cast(kind) for kind in "IiQ")
        self._before: list = [0] * len(Place)

    def arm(self, *places: Place, times: int = 1, every: int = 1, action: Action = Action.KILL) -> None:
        """From now on `action` happens at every n-th pass of one of the places, so many times altogether."""
        self.disarm()
        self._before = [self._longs[HITS + place] for place in Place]
        self._words[EVERY], self._signed[LEFT], self._words[ACTION] = every, times, action
        self._signed[RESULT] = UNTRIED
        self._words[ARMED] = sum(1 << place for place in places)

    def disarm(self) -> None:
        self._words[ARMED] = 0

    @property
    def result(self) -> int:
        """errno of the forbidden call, 0 when it worked."""
        return self._signed[RESULT]

    def hits(self, place: Place) -> int:
        """How often something happened there since arm()."""
        return self._longs[HITS + place] - self._before[place]

    def passes(self, place: Place) -> int:
        return self._longs[PASSES + place]

    def wait_hits(self, place: Place, count: int = 1, check: Callable[[], None] = lambda: None, timeout: float = 90.0) -> None:
        """check() is called again and again, and raises when there is no hope."""

        def enough() -> bool:
            check()
            return self.hits(place) >= count

        self._wait(enough, f"{count} hits of {place.name}", timeout)

    def wait_all_hits(self, count: int, timeout: float = 90.0) -> None:
        self._wait(lambda: sum(map(self.hits, Place)) >= count, f"{count} hits", timeout)

    def _wait(self, enough: Callable[[], bool], what: str, timeout: float) -> None:
        try:
            wait_until(enough, what, timeout)
        except AssertionError as error:
            seen = {place.name: (self.passes(place), self.hits(place)) for place in Place}
            raise AssertionError(f"{error}; passes and hits: {seen}") from None

    def counts(self) -> Counts:
        """As of now: a worker that never lives for a second leaves old ones."""
        for index in range(len(Counts._fields)):
            self._longs[COUNTS + index] = UNSAID

        def said() -> Optional[Counts]:
            counts = Counts(*self._longs[COUNTS : COUNTS + len(Counts._fields)])
            return counts if UNSAID not in counts else None

        return wait_until(said, "what the worker holds")
