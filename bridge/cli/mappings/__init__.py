"""`mappings`: look at a mapping file, at the CRM it is for, and at what one could be."""
