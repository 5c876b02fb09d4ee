"""Our own protocol: OAuth2, member API, pages, WeChat, writes. Not for: any CRM's protocol."""
