"""People: users, what they are, sessions, tokens, invitations. Made by ``tortoise makemigrations``."""

# ruff: noqa: RUF012

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="GrantRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("user_id", fields.CharField(max_length=40)),
                ("role", fields.CharField(max_length=30)),
                ("community_id", fields.CharField(max_length=63)),
            ],
            options={
                "table": "person_grant",
                "app": "people",
                "unique_together": (("user_id", "role", "community_id"),),
                "indexes": [Index(fields=["community_id"])],
                "pk_attr": "id",
                "table_description": 'A role of somebody\'s. community_id "": everywhere.',
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="InvitationRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                ("digest", fields.CharField(unique=True, max_length=64)),
                ("issuer_id", fields.CharField(max_length=40)),
                ("grants", fields.JSONField()),
                ("created_ms", fields.BigIntField()),
                ("expires_ms", fields.BigIntField()),
                ("used_ms", fields.BigIntField(null=True)),
                ("withdrawn_ms", fields.BigIntField(null=True)),
                ("user_id", fields.CharField(default="", max_length=40)),
            ],
            options={
                "table": "invitation",
                "app": "people",
                "indexes": [Index(fields=["created_ms"])],
                "pk_attr": "id",
                "table_description": "Leave for one person to choose name and password. The first administrator has one too.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SessionRow",
            fields=[
                ("digest", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("user_id", fields.CharField(max_length=40)),
                ("begun_ms", fields.BigIntField()),
                ("seen_ms", fields.BigIntField()),
            ],
            options={
                "table": "person_session",
                "app": "people",
                "indexes": [Index(fields=["user_id"])],
                "pk_attr": "digest",
                "table_description": "A browser that has signed in. seen_ms: when it last asked for something, to the minute.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TokenRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                ("digest", fields.CharField(unique=True, max_length=64)),
                ("name", fields.CharField(max_length=64)),
                ("user_id", fields.CharField(max_length=40)),
                ("grants", fields.JSONField()),
                ("created_ms", fields.BigIntField()),
                ("expires_ms", fields.BigIntField()),
                ("revoked_ms", fields.BigIntField(null=True)),
            ],
            options={
                "table": "api_token",
                "app": "people",
                "indexes": [Index(fields=["user_id"])],
                "pk_attr": "id",
                "table_description": "A machine's leave to speak for somebody.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="UserRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                ("name", fields.CharField(max_length=64)),
                ("key", fields.CharField(unique=True, max_length=192)),
                ("password_hash", fields.CharField(max_length=200)),
                ("totp_secret", fields.CharField(default="", max_length=64)),
                ("totp_on", fields.BooleanField(default=False)),
                ("totp_step", fields.BigIntField(default=0)),
                ("created_ms", fields.BigIntField()),
                ("disabled_ms", fields.BigIntField(null=True)),
            ],
            options={
                "table": "person",
                "app": "people",
                "pk_attr": "id",
                "table_description": "Somebody with a password.",
            },
            bases=["Model"],
        ),
    ]
