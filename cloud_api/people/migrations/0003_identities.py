"""Identities at a provider, and the invitations that are meant for one. Made by ``tortoise makemigrations``."""

# ruff: noqa: RUF012

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("people", "0002_passkeys")]

    operations = [
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
