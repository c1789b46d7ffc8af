"""HTTP: the calls of terminals and of the back office, and their OpenAPI document. Decides nothing."""
