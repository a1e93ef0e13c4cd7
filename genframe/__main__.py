"""``python -m genframe``: the same program, for torchrun."""

from genframe.cli.main import main

main()
