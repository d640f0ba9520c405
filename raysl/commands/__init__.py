"""The commands of the command line, without argument parsing."""
