"""How often the account may call what in a day (Beijing time) and in a minute."""

import collections
import datetime

from sandbox.kit.clock import Clock
from sandbox.wechat.errors import fail

BEIJING = datetime.timezone(datetime.timedelta(hours=8))
RESETS_A_MONTH = 10
DAILY = {  # a new account's figures; a path that isn't here has no limit in the sandbox
    "/cgi-bin/qrcode/create": 100_000,
    "/cgi-bin/user/info": 5_000_000,
    "/cgi-bin/message/custom/send": 500_000,
}


class Quotas:
    """Counters by name and day or minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: collections.Counter[tuple[str, str]] = collections.Counter()

    def charge(self, name: str, a_day: int | None, a_minute: int | None = None) -> None:
        """Count one call; 45011 over the minute's number, 45009 over the day's."""
        now = datetime.datetime.fromtimestamp(self._clock.now(), BEIJING)
        self._count(name, f"{now:%Y-%m-%d %H:%M}", a_minute, 45011)
        self._count(name, f"{now:%Y-%m-%d}", a_day, 45009)

    def reset(self) -> None:
        """`clear_quota`: the day's calls again; 48006 after ten in a month."""
        now = datetime.datetime.fromtimestamp(self._clock.now(), BEIJING)
        self._count("clear_quota", f"{now:%Y-%m}", RESETS_A_MONTH, 48006)
        today = f"{now:%Y-%m-%d}"
        for name, period in list(self._used):
            if period == today:
                del self._used[name, period]

    def used(self) -> dict[str, int]:
        """What was used, as "name period" -> calls."""
        return {f"{name} {period}": count for (name, period), count in self._used.items()}

    def _count(self, name: str, period: str, limit: int | None, errcode: int) -> None:
        if limit is None:
            return
        if self._used[name, period] >= limit:
            fail(errcode)
        self._used[name, period] += 1
