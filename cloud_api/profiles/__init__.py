"""Profiles that people write: checked before they are kept, signed before they travel."""
