"""Members: registered, found, shown, imported, merged, and what people decide about their points."""
