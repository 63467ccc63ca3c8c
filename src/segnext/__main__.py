"""`python -m segnext`."""

from segnext.cli.main import app

app(prog_name="segnext")
