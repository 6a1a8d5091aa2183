"""Profiles: data that says how a device's messages are read, compiled once, and routed by topic."""

from edge_agent.profiles.actions import Action, Confirm
from edge_agent.profiles.errors import ActionRefused, ProfileError, Undecodable
from edge_agent.profiles.messages import Decoded
from edge_agent.profiles.profile_set import SHIPPED, ProfileSet, load_profiles

__all__ = [
    "SHIPPED",
    "Action",
    "ActionRefused",
    "Confirm",
    "Decoded",
    "ProfileError",
    "ProfileSet",
    "Undecodable",
    "load_profiles",
]
