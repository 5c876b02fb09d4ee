"""The WeChat channel: callbacks, welcomes, QR codes, web OAuth. Not for: pages, or any CRM call."""
