"""Secrets that are no secrets: those of the sandbox's OAuth clients, published here on purpose.

Not for: anything but `config/clients.sandbox.yaml`, whose hashes they answer to.
"""

SANDBOX_CLIENT_SECRETS = {
    "site": "sandbox-0POouzLRCM6MVfp1lOMvuzhU0eBrNwYj0KmfBN8W2LU",
    "react": "sandbox-2voyJogFsQ5rT5VpBj2_u-fNcUKkFuq9Ql4BAM0yvOU",
    "store-backend": "sandbox-qJrk3ttDir-kshGKCImvn13jEUySU6pHYIex6lrwEs0",
    "cms": "sandbox-0OkKAMsRK39mxft9KoE5C1rOdVOUa1qs0fzI9YTVhGQ",
}
