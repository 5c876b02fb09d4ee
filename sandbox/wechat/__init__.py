"""WeChat in a box: an Official Account's API, its web OAuth, its pushes, a mini program's login.

Not played: WeCom, payments, media upload, menus, tags, template and subscription notices; their
paths are answered 404 with errcode 40066.
"""

from sandbox.wechat.part import make

__all__ = ["make"]
