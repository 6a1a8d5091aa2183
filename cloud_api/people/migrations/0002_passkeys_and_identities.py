"""Passkeys, identities at a provider, and the invitations that are meant for one. Made by ``tortoise makemigrations``."""

# ruff: noqa: RUF012

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial")]

    operations = [
        ops.CreateModel(
            name="PasskeyRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                ("credential_id", fields.CharField(unique=True, max_length=1400)),
                ("user_id", fields.CharField(max_length=40)),
                ("name", fields.CharField(max_length=64)),
                ("key", fields.TextField(unique=False)),
                ("rp_id", fields.CharField(max_length=253)),
                ("sign_count", fields.BigIntField(default=0)),
                ("backed_up", fields.BooleanField(default=False)),
                ("created_ms", fields.BigIntField()),
                ("used_ms", fields.BigIntField(null=True)),
            ],
            options={
                "table": "passkey",
                "app": "people",
                "indexes": [Index(fields=["user_id"])],
                "pk_attr": "id",
                "table_description": "A passkey of somebody's.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="IdentityRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("issuer", fields.CharField(max_length=255)),
                ("subject", fields.CharField(max_length=255)),
                ("user_id", fields.CharField(max_length=40)),
                ("created_ms", fields.BigIntField()),
            ],
            options={
                "table": "person_identity",
                "app": "people",
                "unique_together": (("issuer", "subject"),),
                "indexes": [Index(fields=["user_id"])],
                "pk_attr": "id",
                "table_description": "Who somebody is at an OpenID Connect provider.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="InvitationRow",
            name="meant_for",
            field=fields.CharField(default="", db_default="", max_length=64),
        ),
    ]
