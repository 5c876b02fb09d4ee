"""What the page says, in Chinese and English."""

LANGUAGES = {"zh-CN": "中文", "en": "English"}

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("微信沙盒", "WeChat sandbox"),
    "lead": ("在这里扮演顾客。一切都是假的。", "Play the customer here. Nothing is real."),
    "account": ("品牌服务号", "The brand's account"),
    "codes": ("二维码", "QR codes"),
    "no_codes": (
        "还没有二维码。用 POST /v1/qr-codes 创建。",
        "No codes yet. POST /v1/qr-codes makes one.",
    ),
    "more_codes": ("只显示最新的 30 个", "only the 30 newest are shown"),
    "scan": ("扫一扫", "Scan"),
    "ended": ("已过期", "ended"),
    "permanent": ("永久", "permanent"),
    "until": ("有效至", "until"),
    "person": ("谁在用手机", "Whose phone"),
    "choose": ("换人", "Hand over"),
    "follower": ("已关注", "follows"),
    "stranger": ("未关注", "doesn't follow"),
    "new_name": ("新用户的名字", "Name of somebody new"),
    "add": ("添加", "Add"),
    "follow": ("关注公众号", "Follow the account"),
    "unfollow": ("取消关注", "Unfollow"),
    "empty": ("扫码或关注后,消息出现在这里。", "Scan a code or follow: what arrives shows here."),
    "say": ("发送消息", "A message"),
    "send": ("发送", "Send"),
    "open": ("在微信中打开", "Opened in WeChat"),
    "close": ("关闭", "Close"),
    "windows": ("消息窗口", "Message windows"),
    "no_windows": (
        "没有打开的窗口:公众号现在不能主动发消息。",
        "None is open: the account can't write of its own accord.",
    ),
    "left": ("条可发", "left"),
    "unlimited": ("不限", "any number"),
    "follow_window": ("关注 · 1 分钟", "followed · 1 minute"),
    "scan_window": ("扫码 · 1 分钟", "scanned · 1 minute"),
    "menu_window": ("菜单 · 1 分钟", "menu · 1 minute"),
    "message_window": ("发消息 · 48 小时", "wrote · 48 hours"),
    "payment_window": ("支付 · 48 小时", "paid · 48 hours"),
    "clock": ("沙盒时钟(北京时间)", "The sandbox's clock (Beijing)"),
    "plus_minute": ("+1 分钟", "+1 minute"),
    "plus_hour": ("+1 小时", "+1 hour"),
    "plus_two_days": ("+48 小时", "+48 hours"),
    "real_time": ("现在", "Back to now"),
    "else": ("还可以", "What else she can do"),
    "menu": ("点击菜单", "Tap a menu item"),
    "pay": ("支付", "Pay"),
    "revoke": ("撤回授权", "Withdraw authorization"),
    "did_subscribe": ("你关注了公众号", "You followed the account"),
    "did_unsubscribe": ("你取消了关注", "You unfollowed"),
    "did_SCAN": ("你扫描了二维码", "You scanned a code"),
    "did_CLICK": ("你点击了菜单", "You tapped the menu"),
    "did_other": ("公众号收到事件", "The account was told:"),
    "passive": ("被动回复", "reply"),
    "custom": ("客服消息", "customer message"),
    "notice": ("微信提示", "WeChat's own words"),
    "template": ("模板消息", "template message"),
    "subscribe": ("订阅消息", "subscription message"),
    "mini": ("小程序", "mini program"),
    "note_callback": (
        "没有设置回调地址:POST /_sandbox/callback。",
        "No callback URL is set: POST /_sandbox/callback.",
    ),
    "note_ended": ("二维码已过期。", "That code has ended."),
    "note_taken": ("名字是空的或已被使用。", "That name is empty or taken."),
    "note_unheard": (
        "服务器没有应答,微信已重试三次。",
        "The server didn't answer; WeChat tried three times.",
    ),
    "note_wrong": ("这样不行。", "That can't be done."),
}


def words_of(language: str) -> dict[str, str]:
    """All words in one of LANGUAGES."""
    column = list(LANGUAGES).index(language)
    return {name: texts[column] for name, texts in _WORDS.items()}
