"""The daemon at the till: configuration, bootstrap, services, local API, command line, demo and replay."""
