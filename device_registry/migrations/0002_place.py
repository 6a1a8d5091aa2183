"""Which parking place belongs to a charger."""

# ruff: noqa: RUF012

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]

    operations = [
        ops.AddField(
            model_name="Device", name="place_id", field=fields.CharField(max_length=20, default="", db_default="")
        ),
    ]
