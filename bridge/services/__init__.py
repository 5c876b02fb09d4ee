"""What the product can do, in plain functions. Not for: Flask, Redis, RQ, or any one CRM."""
