"""Commands to devices: accepted once, sent while they are worth it, confirmed by their effect."""

from cloud_api.commands.records import count_open
from cloud_api.commands.schema import Command, CommandBody
from cloud_api.commands.sender import CommandSender
from cloud_api.commands.service import Commands

__all__ = ["Command", "CommandBody", "CommandSender", "Commands", "count_open"]
