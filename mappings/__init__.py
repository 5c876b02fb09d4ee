"""The dictionary between our vocabulary and a CRM's columns. Not for: talking to a CRM."""
