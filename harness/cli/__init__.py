"""The command line: the only place that parses arguments. Each command is a thin call; nothing is computed here.

Imports of the other rooms stay inside the commands: `harness --help` has to answer at once.
"""
