"""Microsoft Dynamics 365: the Dataverse Web API v9.2. Not for: what a field means (`mappings`)."""
