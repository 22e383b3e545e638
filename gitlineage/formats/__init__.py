"""Foreign formats: text to records and back; nothing here knows the store. Layer 2."""
