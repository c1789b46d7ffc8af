"""What the back office asks, without HTTP: keys, repeated writes, and views to read."""
