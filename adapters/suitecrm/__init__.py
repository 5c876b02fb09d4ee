"""SuiteCRM's V8 API. See docs/suitecrm.md for what it can't do and how that is handled."""
