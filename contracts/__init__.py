"""What gateway and cloud say to each other; every other package may import this one, and it imports none."""

VERSION = "0.1.0"
"""Of all of Linli; the package takes it from here. (importlib.metadata would tell it too, for half a megabyte.)"""
