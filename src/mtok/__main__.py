"""`python -m mtok` is the command line."""

from mtok.cli import main

main()
