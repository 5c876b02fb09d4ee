"""What the product can do, in plain functions. Not for: Flask, Redis, RQ, requests, or any one CRM."""
