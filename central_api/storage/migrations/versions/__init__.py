"""One step to a file, named by the schema version that it leads to. A step that was released is never changed."""
