"""A new database: its tables, its epoch, its tenants. One of an earlier release is migrated."""

from __future__ import annotations

from sqlalchemy import Connection, select

from central_api.capabilities import Capabilities
from central_api.problems import refuse
from central_api.storage.migration import is_installed, lock_schema, migrate
from central_api.storage.schema import SCHEMA_VERSION, meta, tenants
from central_api.storage.schema_office import metadata
from central_api.storage.statements import insert_rows, select_value

__all__ = ["epoch_of", "install", "tenant_names"]

NAME_LENGTH_MAX = 64

_EPOCH = select(meta.c.value).where(meta.c.name == "epoch")


def install(connection: Connection, capabilities: Capabilities, tenant: str) -> bool:
    """Create what is missing: tables, epoch, tenant. Returns whether anything was. Raises Refused for a bad name."""
    if not 0 < len(tenant) <= NAME_LENGTH_MAX or not tenant.isprintable() or tenant.strip() != tenant:
        raise refuse("invalid-request", f"a tenant's name has 1 to {NAME_LENGTH_MAX} printable characters")
    lock_schema(connection)
    is_new = not is_installed(connection)
    if is_new:
        metadata.create_all(connection)
        values = {"epoch": capabilities.new_random_id(), "schema_version": str(SCHEMA_VERSION)}
        insert_rows(connection, meta, [{"name": name, "value": value} for name, value in values.items()])
    else:
        migrate(connection)
    if tenant in tenant_names(connection):
        return is_new
    insert_rows(connection, tenants, [{"tenant": tenant, "created_at": capabilities.now()}])
    return True


def epoch_of(connection: Connection) -> str:
    """Return the epoch: one life of this database."""
    epoch: str = select_value(connection, _EPOCH, {})
    return epoch


def tenant_names(connection: Connection) -> list[str]:
    """Return the tenants in order."""
    return list(connection.execute(select(tenants.c.tenant).order_by(tenants.c.tenant)).scalars())
