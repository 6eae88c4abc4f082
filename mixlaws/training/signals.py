"""The signals that ask a run to save its state or to end."""

from __future__ import annotations

import signal
import threading
from types import FrameType

# SIGINT too: a Ctrl-C in the terminal reaches the training processes of a local run.
STOPPING = (signal.SIGTERM, signal.SIGINT)
SAVING = (*STOPPING, signal.SIGUSR1)


class Signals:
    """The signals that came and were not dealt with yet, oldest first."""

    def __init__(self) -> None:
        self.pending: list[int] = []

    def listen(self) -> None:
        """Take the signals from here on; only the main thread may ask for them."""
        if threading.current_thread() is threading.main_thread():
            for number in SAVING:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and number in self.pending:
            raise KeyboardInterrupt
        self.pending.append(number)

    def stopping(self) -> bool:
        """Return whether a signal asked this process to end."""
        return stopping_one(self.pending) is not None


def stopping_one(numbers: list[int]) -> int | None:
    """Return the first signal that ends a process, None if there is none."""
    return next((number for number in numbers if number in STOPPING), None)
