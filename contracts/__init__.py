"""What gateway and cloud say to each other; every other package may import this one, and it imports none."""
