"""Other people's CRM protocols behind one contract. Not for: our own protocol, Redis or Flask."""
