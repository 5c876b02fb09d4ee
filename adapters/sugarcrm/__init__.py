"""SugarCRM's REST API v11. See docs/sugarcrm.md for what it can't do and how that is handled."""
