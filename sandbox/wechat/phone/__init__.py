"""The page at /_sandbox/, on which a person plays the customer. Not for tests of an API."""
