"""The tables of identity: claims that installers use once, and the certificates that came of them. Times are ms UTC."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class ClaimRow(Model):
    """Leave for one gateway to get its first certificate.

    digest        SHA-256 of the code's bytes: the code itself is shown once and kept nowhere
    withdrawn_ms  null unless somebody took it back
    used_ms       null until it was used; the certificate names its claim, at most one can
    refused       how often a use was refused after that
    """

    id = fields.CharField(max_length=40, primary_key=True)
    digest = fields.CharField(max_length=64, unique=True)
    gateway_id = fields.CharField(max_length=63)
    issuer = fields.CharField(max_length=100)
    created_ms = fields.BigIntField()
    expires_ms = fields.BigIntField()
    withdrawn_ms = fields.BigIntField(null=True)
    used_ms = fields.BigIntField(null=True)
    refused = fields.IntField(default=0)

    class Meta:
        table = "claim"
        indexes = (Index(fields=("gateway_id", "created_ms")),)


class CertificateRow(Model):
    """A certificate that was issued to a gateway.

    serial       hexadecimal, as OpenSSL prints it
    claim_id     of a first certificate, the claim that it came of; null for one that renews another
    public_key   SHA-256 of the key's DER form: the same key asking again is given the same certificate
    first_used_ms  when its gateway has first said that it came in by it: then those that it replaces are revoked
    revoked_ms   null while it holds; reason: why it does not
    """

    serial = fields.CharField(max_length=40, primary_key=True)
    gateway_id = fields.CharField(max_length=63)
    claim_id = fields.CharField(max_length=40, null=True, unique=True)
    public_key = fields.CharField(max_length=64)
    pem = fields.TextField()
    issued_ms = fields.BigIntField()
    begins_ms = fields.BigIntField()
    ends_ms = fields.BigIntField()
    first_used_ms = fields.BigIntField(null=True)
    revoked_ms = fields.BigIntField(null=True)
    reason = fields.CharField(max_length=200, default="")

    class Meta:
        table = "certificate"
        indexes = (Index(fields=("gateway_id", "issued_ms")),)


class RefusalRow(Model):
    """Somebody tried a claim in vain.

    claim_id, gateway_id  "" when the code is none; address: from where
    """

    id = fields.CharField(max_length=40, primary_key=True)
    at_ms = fields.BigIntField()
    reason = fields.CharField(max_length=40)
    claim_id = fields.CharField(max_length=40, default="")
    gateway_id = fields.CharField(max_length=63, default="")
    address = fields.CharField(max_length=64, default="")

    class Meta:
        table = "claim_refusal"
        indexes = (Index(fields=("at_ms", "id")),)
