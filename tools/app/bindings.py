"""Which key or pedal does what during a capture: single keys, never a modifier, never twice in a row.

A foot pedal or a presenter is a keyboard to the computer; which keys it sends is learnt by pressing it.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from tools.cli.keys import AGAIN, DISCARD, MARK, QUIT, SHARP, START_STOP

REPEAT_GUARD = 0.4
"""The same key within so many seconds is a bounce or an auto-repeat (ecosystem reference 2.4), s."""
LONG_PRESS = 0.7
"""A start or stop key held down for so long means sharp pain: the movement ends and is marked, s."""


class Action(StrEnum):
    """What a key can do during a capture."""

    START_STOP = "start or stop"
    MARK = "mark"
    DISCARD = "discard last"
    END = "end the capture"
    SHARP = "sharp pain"
    AGAIN = "calibrate again"


DEFAULTS: Mapping[str, Action] = {
    "Space": Action.START_STOP,
    "PgDown": Action.START_STOP,
    "F13": Action.START_STOP,
    "M": Action.MARK,
    "PgUp": Action.MARK,
    "D": Action.DISCARD,
    "Backspace": Action.DISCARD,
    "Q": Action.END,
    "S": Action.SHARP,
    "C": Action.AGAIN,
}
"""Keys by their names in `QKeySequence`; presenters send PgUp and PgDown."""

FLOW_KEYS: Mapping[Action, str] = {
    Action.START_STOP: START_STOP,
    Action.MARK: MARK,
    Action.DISCARD: DISCARD,
    Action.END: QUIT,
    Action.SHARP: SHARP,
    Action.AGAIN: AGAIN,
}
"""The keys of `rom capture`."""


class Bindings:
    """Keys and what they do, with a guard against bouncing.

    Parameters
    ----------
    learnt
        Keys of pedals, over the defaults.
    """

    def __init__(self, learnt: Mapping[str, Action] | None = None) -> None:
        self.learnt: dict[str, Action] = dict(learnt or {})
        self._last: dict[str, float] = {}
        self._down: dict[str, float] = {}

    def down(self, key: str, now: float, *, repeated: bool = False) -> str:
        """Return the key of the flow that a key going down stands for; "" for none, a bounce, or not yet.

        What starts or stops waits until the key comes up (`up`) or was held for long (`held`); all else is
        done at once.

        Parameters
        ----------
        key
            Its name, such as "Space" or "7".
        now
            When, s on any steady clock.
        repeated
            Whether the system says it is held down.
        """
        action = self.action(key)
        if action is Action.START_STOP:
            if not repeated:
                self._down.setdefault(key, now)
            return ""
        return self._once(FLOW_KEYS.get(action, "") if action else _score(key), now, repeated=repeated)

    def up(self, key: str, now: float, *, repeated: bool = False) -> str:
        """Return the key of the flow that a key coming up stands for; "" for none."""
        if repeated or self._down.pop(key, None) is None:
            return ""
        return self._once(FLOW_KEYS[Action.START_STOP], now)

    def held(self, now: float) -> str:
        """Return the key of the flow if a start or stop key has been down for long enough; ask often."""
        for key, since in list(self._down.items()):
            if now - since >= LONG_PRESS:
                del self._down[key]
                return self._once(FLOW_KEYS[Action.SHARP], now)
        return ""

    def let_go(self) -> None:
        """Forget keys that are down: the window no longer hears them come up."""
        self._down.clear()

    def _once(self, flow: str, now: float, *, repeated: bool = False) -> str:
        if not flow:
            return ""
        bounced = repeated or now - self._last.get(flow, -REPEAT_GUARD) < REPEAT_GUARD
        self._last[flow] = now
        return "" if bounced else flow

    def means(self, key: str) -> bool:
        """Return whether a key does anything: an action, or a pain score from 0 to 9."""
        return self.action(key) is not None or bool(_score(key))

    def action(self, key: str) -> Action | None:
        """Return what a key does, None if nothing."""
        return self.learnt.get(key, DEFAULTS.get(key))

    def learn(self, key: str, action: Action) -> None:
        """Let a key do something from now on."""
        self.learnt[key] = action

    def keys_of(self, action: Action) -> list[str]:
        """Return the keys that do something, the learnt ones first."""
        names = [*self.learnt, *(key for key in DEFAULTS if key not in self.learnt)]
        return [key for key in names if self.action(key) is action]

    def save(self, path: Path) -> None:
        """Keep the learnt keys."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps({key: str(action) for key, action in self.learnt.items()}), encoding="utf-8"
        )


def _score(key: str) -> str:
    """Return a pain score from 0 to 9 that a key stands for; "" for none."""
    return key if key.isdigit() and len(key) == 1 else ""


def load_bindings(path: Path) -> Bindings:
    """Return the keys that were learnt on this computer; the defaults if none can be read."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Bindings({str(key): Action(action) for key, action in document.items()})
    except (OSError, ValueError, AttributeError):
        return Bindings()
