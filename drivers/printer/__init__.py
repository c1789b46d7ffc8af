"""Receipt printers: a document to bytes, a spool on disk, one job at a time onto the wire. Knows no loyalty."""
