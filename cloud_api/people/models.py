"""The tables of people. Times are ms UTC; secrets are kept as SHA-256, passwords as argon2id, secrets of authenticators sealed
with a key that is elsewhere. Nothing that lets somebody in stands here in clear."""

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class UserRow(Model):
    """Somebody with a password.

    key          the name as it is compared: folded, so that "Chen" and "chen" are one
    totp_secret  sealed, see ``sealed``; "" without an authenticator; it counts once ``totp_on``
    totp_step    the last step whose code was used: none is taken twice
    disabled_ms  null while he may come in
    """

    id = fields.CharField(max_length=40, primary_key=True)
    name = fields.CharField(max_length=64)
    key = fields.CharField(max_length=192, unique=True)
    password_hash = fields.CharField(max_length=200)
    totp_secret = fields.CharField(max_length=64, default="")
    totp_on = fields.BooleanField(default=False)
    totp_step = fields.BigIntField(default=0)
    created_ms = fields.BigIntField()
    disabled_ms = fields.BigIntField(null=True)

    class Meta:
        table = "person"


class GrantRow(Model):
    """A role of somebody's. community_id "": everywhere."""

    id = fields.BigIntField(primary_key=True)
    user_id = fields.CharField(max_length=40)
    role = fields.CharField(max_length=30)
    community_id = fields.CharField(max_length=63)

    class Meta:
        table = "person_grant"
        unique_together = (("user_id", "role", "community_id"),)
        indexes = (Index(fields=("community_id",)),)


class SessionRow(Model):
    """A browser that has signed in. seen_ms: when it last asked for something, to the minute."""

    digest = fields.CharField(max_length=64, primary_key=True)
    user_id = fields.CharField(max_length=40)
    begun_ms = fields.BigIntField()
    seen_ms = fields.BigIntField()

    class Meta:
        table = "person_session"
        indexes = (Index(fields=("user_id",)),)


class TokenRow(Model):
    """A machine's leave to speak for somebody.

    grants: list of [role, community_id], at most what that person has
    """

    id = fields.CharField(max_length=40, primary_key=True)
    digest = fields.CharField(max_length=64, unique=True)
    name = fields.CharField(max_length=64)
    user_id = fields.CharField(max_length=40)
    grants: Any = fields.JSONField()
    created_ms = fields.BigIntField()
    expires_ms = fields.BigIntField()
    revoked_ms = fields.BigIntField(null=True)

    class Meta:
        table = "api_token"
        indexes = (Index(fields=("user_id",)),)


class InvitationRow(Model):
    """Leave for one person to choose name and password. The first administrator has one too.

    issuer_id    who has invited; "" for the first administrator
    meant_for    alias of the e-mail address whose owner comes in by his provider, without the code; "": nobody does
    user_id      who came of it; "" while nobody has
    """

    id = fields.CharField(max_length=40, primary_key=True)
    digest = fields.CharField(max_length=64, unique=True)
    issuer_id = fields.CharField(max_length=40)
    grants: Any = fields.JSONField()
    created_ms = fields.BigIntField()
    expires_ms = fields.BigIntField()
    used_ms = fields.BigIntField(null=True)
    withdrawn_ms = fields.BigIntField(null=True)
    user_id = fields.CharField(max_length=40, default="")
    meant_for = fields.CharField(max_length=64, default="", db_default="")

    class Meta:
        table = "invitation"
        indexes = (Index(fields=("created_ms",)),)


class PasskeyRow(Model):
    """A passkey of somebody's.

    credential_id  base64url; what its browser calls it
    key            base64: WebAuthn's attested credential data, with the public key
    rp_id          the host's name that it is bound to
    sign_count     its own counter when it was last used; 0: it has none
    backed_up      its owner's devices share it
    """

    id = fields.CharField(max_length=40, primary_key=True)
    credential_id = fields.CharField(max_length=1400, unique=True)
    user_id = fields.CharField(max_length=40)
    name = fields.CharField(max_length=64)
    key = fields.TextField()
    rp_id = fields.CharField(max_length=253)
    sign_count = fields.BigIntField(default=0)
    backed_up = fields.BooleanField(default=False)
    created_ms = fields.BigIntField()
    used_ms = fields.BigIntField(null=True)

    class Meta:
        table = "passkey"
        indexes = (Index(fields=("user_id",)),)


class IdentityRow(Model):
    """Who somebody is at an OpenID Connect provider."""

    id = fields.BigIntField(primary_key=True)
    issuer = fields.CharField(max_length=255)
    subject = fields.CharField(max_length=255)
    user_id = fields.CharField(max_length=40)
    created_ms = fields.BigIntField()

    class Meta:
        table = "person_identity"
        unique_together = (("issuer", "subject"),)
        indexes = (Index(fields=("user_id",)),)
