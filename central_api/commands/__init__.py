"""What the commands of `loyalty-central` do and print."""
