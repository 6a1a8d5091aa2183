"""The registry's tables. Times are ms UTC integers; names come in Chinese and English.

Rows are handed out read only: whoever changes one does it through the functions of this package.
"""

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class Named(Model):
    """What carries a name for people, in both languages."""

    name_zh = fields.CharField(max_length=200)
    name_en = fields.CharField(max_length=200)

    class Meta:
        abstract = True


class Community(Named):
    """A residential community: what a property manager runs."""

    id = fields.CharField(max_length=63, primary_key=True)
    created_ms = fields.BigIntField()

    class Meta:
        table = "community"


class Facility(Named):
    """One facility of a community: a car park, the charging piles, the bins, a building's services."""

    id = fields.CharField(max_length=80, primary_key=True)
    community: fields.ForeignKeyRelation[Community] = fields.ForeignKeyField(
        "registry.Community", related_name="facilities", on_delete=fields.OnDelete.RESTRICT
    )
    community_id: str
    kind = fields.CharField(max_length=20)
    created_ms = fields.BigIntField()

    class Meta:
        table = "facility"


class Gateway(Named):
    """A gateway, and what it last said of itself."""

    id = fields.CharField(max_length=63, primary_key=True)
    community: fields.ForeignKeyRelation[Community] = fields.ForeignKeyField(
        "registry.Community", related_name="gateways", on_delete=fields.OnDelete.RESTRICT
    )
    community_id: str
    created_ms = fields.BigIntField()
    reported_version = fields.BigIntField(default=0)
    reported_reason = fields.CharField(max_length=200, default="")
    reported_ms = fields.BigIntField(default=0)
    refused: Any = fields.JSONField(default=dict, db_default={})  # profile id -> why it was not taken

    class Meta:
        table = "gateway"


class Profile(Model):
    """A version of a device profile that some gateway has reported."""

    id = fields.IntField(primary_key=True)
    profile = fields.CharField(max_length=120)
    version = fields.IntField()
    kind = fields.CharField(max_length=20)
    first_seen_ms = fields.BigIntField()

    class Meta:
        table = "profile"
        unique_together = (("profile", "version"),)


class Device(Named):
    """A device and its source: the gateway and the id by which that gateway knows it.

    status    pending: seen, waiting for a person; adopted: part of the community
    named_by  source: the name follows what the device calls itself; person: it stays
    seen_ms   at_ms of the newest sighting that was applied
    place_id  of a charger: the parking place (a device) at which a car stands to be charged; "" when none is known
    topics    list[str]: discovered topics on which its profile reads it beside the profile's own
    since_ms  event time from which on what its source says is the device's; 0: from the beginning
    """

    id = fields.CharField(max_length=20, primary_key=True)
    community: fields.ForeignKeyRelation[Community] = fields.ForeignKeyField(
        "registry.Community", related_name="devices", on_delete=fields.OnDelete.RESTRICT
    )
    community_id: str
    facility: fields.ForeignKeyRelation[Facility] = fields.ForeignKeyField(
        "registry.Facility", related_name="devices", on_delete=fields.OnDelete.RESTRICT
    )
    facility_id: str
    gateway: fields.ForeignKeyRelation[Gateway] = fields.ForeignKeyField(
        "registry.Gateway", related_name="devices", on_delete=fields.OnDelete.RESTRICT
    )
    gateway_id: str
    external_id = fields.CharField(max_length=128)
    kind = fields.CharField(max_length=20)
    profile = fields.CharField(max_length=120)
    profile_version = fields.IntField()
    verbs: Any = fields.JSONField(default=list)  # list[str]
    parameters: Any = fields.JSONField(default=dict)  # dict[str, float]
    status = fields.CharField(max_length=10)
    named_by = fields.CharField(max_length=10, default="source")
    first_seen_ms = fields.BigIntField()
    seen_ms = fields.BigIntField()
    adopted_ms = fields.BigIntField(null=True)
    place_id = fields.CharField(max_length=20, default="", db_default="")
    topics: Any = fields.JSONField(default=list, db_default=[])  # list[str]
    since_ms = fields.BigIntField(default=0, db_default=0)

    class Meta:
        table = "device"
        unique_together = (("gateway", "external_id"),)
        indexes = (Index(fields=("community_id", "kind")),)


class FormerSource(Model):
    """A source that a device had before it was moved, and from when to when (event time).

    What a gateway called ``external_id`` within ``from_ms <= t < to_ms`` was this device. Spans of one source never overlap.
    """

    id = fields.IntField(primary_key=True)
    device_id = fields.CharField(max_length=20, db_index=True)
    gateway_id = fields.CharField(max_length=63)
    external_id = fields.CharField(max_length=128)
    from_ms = fields.BigIntField()
    to_ms = fields.BigIntField()

    class Meta:
        table = "former_source"
        indexes = (Index(fields=("gateway_id", "external_id")),)


class Desired(Model):
    """The desired state of one gateway, as it is published. The version grows by one with each change."""

    gateway_id = fields.CharField(max_length=63, primary_key=True)
    version = fields.BigIntField()
    devices: Any = fields.JSONField(default=list)  # list of {device, profile, parameters, topics}
    profiles: Any = fields.JSONField(default=dict, db_default={})  # profile id -> version, of those that travel
    charging: Any = fields.JSONField(null=True)  # contracts.messages.DesiredCharging
    changed_ms = fields.BigIntField()

    class Meta:
        table = "desired"


class ProfileVersion(Named):
    """A version of a profile that people have written for their devices. It never changes."""

    id = fields.IntField(primary_key=True)
    profile = fields.CharField(max_length=120)
    version = fields.IntField()
    kind = fields.CharField(max_length=20)
    document = fields.TextField()
    created_ms = fields.BigIntField()

    class Meta:
        table = "profile_version"
        unique_together = (("profile", "version"),)


class Recovery(Model):
    """The last time that refused messages of a topic were read after all."""

    id = fields.IntField(primary_key=True)
    gateway_id = fields.CharField(max_length=63)
    topic = fields.CharField(max_length=256)
    profile = fields.CharField(max_length=120)
    profile_version = fields.IntField()
    still = fields.IntField()
    at_ms = fields.BigIntField()

    class Meta:
        table = "recovery"
        unique_together = (("gateway_id", "topic"),)


class SiteCharging(Model):
    """How a gateway's site charges: its fuse, its charge points and who may charge. Secrets stand in it.

    names  alias -> name of a token, also of those that are not in the list any more: ``charging`` knows aliases only
    """

    gateway_id = fields.CharField(max_length=63, primary_key=True)
    charging: Any = fields.JSONField()  # contracts.messages.DesiredCharging
    names: Any = fields.JSONField(default=dict, db_default={})  # dict[str, str]
    changed_ms = fields.BigIntField()

    class Meta:
        table = "site_charging"


class Sighting(Model):
    """A device seen by a gateway that the registry does not know yet, kept until it does."""

    id = fields.IntField(primary_key=True)
    gateway_id = fields.CharField(max_length=63)
    external_id = fields.CharField(max_length=128)
    profile = fields.CharField(max_length=120)
    profile_version = fields.IntField()
    kind = fields.CharField(max_length=20)
    verbs: Any = fields.JSONField(default=list)
    name = fields.CharField(max_length=200)
    seen_ms = fields.BigIntField()

    class Meta:
        table = "sighting"
        unique_together = (("gateway_id", "external_id"),)


class Discovery(Model):
    """A topic that a gateway's profiles do not read, as the gateway last told of it.

    status     open; dismissed: a person does not want to be asked; adopted: bound to ``device_id``
    proposals  list of {profile, profile_version, kind, score, device, values}, the best first
    """

    id = fields.IntField(primary_key=True)
    gateway_id = fields.CharField(max_length=63)
    topic = fields.CharField(max_length=256)
    status = fields.CharField(max_length=10, default="open")
    device_id = fields.CharField(max_length=20, default="")
    count = fields.BigIntField()
    size_bytes = fields.BigIntField()
    head = fields.BinaryField()
    proposals: Any = fields.JSONField(default=list)
    first_ms = fields.BigIntField()
    at_ms = fields.BigIntField()

    class Meta:
        table = "discovery"
        unique_together = (("gateway_id", "topic"),)
