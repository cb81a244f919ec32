"""The example that ``gradcheck demo`` writes: a network that does not learn, as somebody might post it."""

from importlib.resources import files

FILE_NAME = "mynet.py"
TEXT = files(__package__).joinpath("mynet.txt").read_text(encoding="utf-8")
