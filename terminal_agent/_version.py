"""The version of this release, as the journal and central are told it."""

VERSION = "0.1.0"
