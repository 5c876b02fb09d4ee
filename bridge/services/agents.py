"""What somebody signed in on, told coarsely enough to know one's own sessions by, and no more.

Not for: telling devices apart, or limits. A user agent names a make and versions; of it one word of
these is kept.
"""

AGENTS = ("wechat", "tablet", "phone", "desktop", "other")
"""`wechat`: a page inside WeChat, whatever it runs on."""


def coarse(user_agent: str) -> str:
    """One of AGENTS.

    >>> coarse("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) MicroMessenger/8.0.50")
    'wechat'
    """
    if "MicroMessenger" in user_agent:
        return "wechat"
    if "iPad" in user_agent or ("Android" in user_agent and "Mobile" not in user_agent):
        return "tablet"
    if "Mobi" in user_agent or "iPhone" in user_agent:
        return "phone"
    if any(name in user_agent for name in ("Windows", "Macintosh", "X11", "CrOS")):
        return "desktop"
    return "other"
