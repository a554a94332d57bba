"""The command `steward demo`: a person's day, played through Steward for whoever watches. Source: ST-69."""
