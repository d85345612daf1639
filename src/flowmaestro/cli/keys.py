"""``flowmaestro keys``: API keys, in the server's database itself: no server need run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from flowmaestro.cli.durations import parse_duration
from flowmaestro.cli.errors import CommandFailed
from flowmaestro.cli.extras import server_extras
from flowmaestro.cli.output import AsJson, hint, moment_text, print_table

if TYPE_CHECKING:
    from flowmaestro.storage import ApiKey, Keys

Result = TypeVar("Result")

DEFAULT_WORKSPACE = "default"
DEFAULT_BUNDLE = "workflow-executor"

app = typer.Typer(
    help="Create, list and revoke API keys, in the database itself.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Database = Annotated[
    str | None,
    typer.Option(
        "--database", metavar="URL", help="[default: flowmaestro.db in the current folder]"
    ),
]


@app.command("create")
def create_key(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What the key is for.")],
    scopes: Annotated[
        str | None, typer.Option("--scopes", metavar="A,B", help="What it may do.")
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(
            "--bundle",
            metavar="BUNDLE",
            help="The same by name: read-only, workflow-executor or full-access. "
            "[default: workflow-executor, without --scopes]",
        ),
    ] = None,
    workspace: Annotated[
        str,
        typer.Option("--workspace", metavar="NAME", help="It sees nothing outside of it."),
    ] = DEFAULT_WORKSPACE,
    environment: Annotated[
        Literal["live", "test"], typer.Option("--environment", help="The key's kind.")
    ] = "live",
    expires_in: Annotated[
        str | None, typer.Option("--expires-in", metavar="30d", help="30d, 12h, … [default: never]")
    ] = None,
    rate_limit_per_minute: Annotated[
        int,
        typer.Option(
            "--rate-limit-per-minute", min=0, metavar="N", help="Requests; 0 is no limit."
        ),
    ] = 600,
    rate_limit_per_day: Annotated[
        int,
        typer.Option("--rate-limit-per-day", min=0, metavar="N", help="Requests; 0 is no limit."),
    ] = 0,
    database: Database = None,
) -> None:
    """Create a key, and print it. It is shown this once: only its hash is stored."""
    with server_extras("keys create"):
        from flowmaestro.api import keys
        from flowmaestro.storage import NewKey
    now = datetime.now(UTC)
    chosen = scopes is not None or bundle is not None
    if not chosen:
        bundle = DEFAULT_BUNDLE
    try:
        granted = keys.parse_scopes((scopes or "").split(","), bundle)
        expires_at = None if expires_in is None else now + parse_duration(expires_in)
    except ValueError as error:
        raise CommandFailed(str(error), exit_code=2) from error
    if not granted:
        raise CommandFailed(
            "say what the key may do: --bundle "
            + "|".join(keys.BUNDLES)
            + ", or --scopes "
            + ",".join(keys.SCOPES),
            exit_code=2,
        )
    if not name.strip() or not workspace.strip():
        raise CommandFailed("--name and --workspace must not be empty", exit_code=2)
    key = keys.generate_key(environment)
    new = NewKey(
        name=name.strip(),
        workspace=workspace.strip(),
        environment=environment,
        scopes=granted,
        key_hash=keys.hash_key(key),
        prefix=keys.display_prefix(key),
        created_at=now,
        expires_at=expires_at,
        rate_limit_per_minute=rate_limit_per_minute,
        rate_limit_per_day=rate_limit_per_day,
    )
    _with_keys(database, lambda stored: stored.create(new), create=True)
    typer.echo(key)
    if not chosen:
        hint(
            f"It may run and watch workflows, and not change them ({DEFAULT_BUNDLE}); "
            "for another choice there are --bundle and --scopes."
        )


@app.command("list")
def list_keys(
    workspace: Annotated[
        str | None, typer.Option("--workspace", metavar="NAME", help="Only of this workspace.")
    ] = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List keys: first characters, names, scopes, expiry."""
    found = _with_keys(database, lambda stored: stored.list(workspace))
    if as_json:
        import json

        for key in found:
            typer.echo(json.dumps(_describe(key), ensure_ascii=False))
        return
    print_table(
        ["id", "key", "name", "workspace", "state", "scopes", "expires"],
        [
            [
                key.id,
                f"{key.prefix}…",
                key.name,
                key.workspace,
                _state(key),
                ",".join(sorted(key.scopes)),
                moment_text(key.expires_at),
            ]
            for key in found
        ],
    )


@app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="The key's id, from keys list.")],
    database: Database = None,
) -> None:
    """Revoke a key: from now on it opens nothing."""
    key = _with_keys(database, lambda stored: stored.revoke(key_id))
    typer.echo(f"revoked {key.id} ({key.prefix}…, {key.name})")


def _with_keys(
    database: str | None, use: Callable[[Keys], Awaitable[Result]], *, create: bool = False
) -> Result:
    """Return what *use* returns for the keys of *database*, which is made only to *create* one."""
    import asyncio

    with server_extras("keys"):
        from flowmaestro.main.settings import InvalidSettings, load_settings
        from flowmaestro.storage import Storage, StorageError, database_path

    async def run(url: str) -> Result:
        path = database_path(url)
        if not create and not path.exists():
            raise CommandFailed(
                f"there is no database at {path} (say where it is with --database or "
                "FLOWMAESTRO_DATABASE; keys create and serve make one)"
            )
        async with await Storage.open(url) as storage:
            return await use(storage.keys)

    try:
        return asyncio.run(run(load_settings(database=database).database))
    except InvalidSettings as error:
        raise CommandFailed(*error.problems) from error
    except StorageError as error:
        raise CommandFailed(str(error)) from error


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
        return "expired"
    return "active"


def _describe(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "workspace": key.workspace,
        "environment": key.environment,
        "state": _state(key),
        "scopes": sorted(key.scopes),
        "created_at": moment_text(key.created_at),
        "expires_at": None if key.expires_at is None else moment_text(key.expires_at),
        "revoked_at": None if key.revoked_at is None else moment_text(key.revoked_at),
        "rate_limit_per_minute": key.rate_limit_per_minute,
        "rate_limit_per_day": key.rate_limit_per_day,
    }
