"""Everything that can be set, read once at start. docs/settings.md has a row for each name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from pdfops.levels import SealLevel
from plugin.flow.launch_rules import MAX_DOCUMENTS, MAX_RECIPIENTS, MAX_REMIND_EVERY_DAYS

PREFIX = "PARAPHEUR_"
LAUNCHER = {
    "PARAPHEUR_DIE_WITH_PARENT",
    "PARAPHEUR_EXPORT_PASSPHRASE",
    "PARAPHEUR_KILLS",
    "PARAPHEUR_SHOTS",
    "PARAPHEUR_THREADS",
}
"""Names that speak to the programs around us, not to us."""

APPAPI_NAMES = {
    "APP_ID": "app_id",
    "APP_VERSION": "app_version",
    "APP_SECRET": "app_secret",
    "APP_PERSISTENT_STORAGE": "data",
    "NEXTCLOUD_URL": "host_url",
    "HP_SHARED_KEY": "harp_key",
}
"""What a deploying host puts into the environment; our own names win over these."""


LISTS = {
    "extra_origins",
    "groups_validation",
    "groups_signature",
    "groups_eidas_simple",
    "groups_eidas_advanced",
    "tsa_urls",
    "outbound_origins",
    "outbound_private_hosts",
    "fonts",
    "quiet_days",
}
"""Values that are lists: their parts are separated by commas."""


class StartRefused(Exception):
    """Nothing is started, and nothing was changed. The text tells an operator why, and what to do."""


class BadSettings(ValueError):
    """The start fails: a name is unknown, missing or has a value that cannot be. Values are never shown."""


def _known_zone(name: str) -> str:
    ZoneInfo(name)
    return name


def _a_folder(path: str) -> str:
    if not Path(path).is_absolute() or not Path(path).is_dir():
        raise ValueError("not a folder; give its whole path")
    return path


def _none_or_a_megabyte(size_bytes: int) -> int:
    if size_bytes and size_bytes < 1_000_000:
        raise ValueError("0 for no limit, or 1000000 and more")
    return size_bytes


class Settings(BaseModel):
    """All settings. Sizes are in bytes, times in seconds, addresses without a slash at the end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path
    host_url: Annotated[str, Field(pattern=r"^https?://[^\s]+[^/\s]$")]
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s]+[^/\s]$")]
    app_id: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] = "parapheur"
    app_version: str = version("parapheur")
    app_secret: SecretStr
    harp_key: SecretStr = SecretStr("")
    host_timeout_s: Annotated[float, Field(ge=0.5, le=120)] = 30.0
    host_slow_after_s: Annotated[float, Field(ge=0.1, le=60)] = 5.0
    certify: bool = False
    organisation: Annotated[str, Field(min_length=1, max_length=64)] = "Parapheur"
    vault_url: str = ""
    index_url: str = ""
    only_instance: bool = True
    extra_origins: tuple[str, ...] = ()
    trust_origin_ip: bool = False
    mail: Literal["auto", "smtp", "host"] = "auto"
    smtp_host: str = "localhost"
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 25
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    mail_from: Annotated[str, Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$")] = "parapheur@localhost"
    default_language: Literal["en", "fr"] = "fr"
    default_time_zone: Annotated[str, AfterValidator(_known_zone)] = "Europe/Paris"
    collection_limit_bytes: Annotated[int, Field(ge=1_000, le=500_000_000)] = 15_000_000
    validation_file_limit_bytes: Annotated[int, AfterValidator(_none_or_a_megabyte)] = 10_000_000_000
    max_documents: Annotated[int, Field(ge=1, le=MAX_DOCUMENTS)] = MAX_DOCUMENTS
    max_recipients: Annotated[int, Field(ge=1, le=MAX_RECIPIENTS)] = MAX_RECIPIENTS
    default_expiry_days: Annotated[int, Field(ge=0, le=1_825)] = 0
    default_remind_days: Annotated[int, Field(ge=0, le=MAX_REMIND_EVERY_DAYS)] = 0
    quiet_days: tuple[Annotated[int, Field(ge=1, le=7)], ...] = (6, 7)
    groups_validation: tuple[str, ...] = ()
    groups_signature: tuple[str, ...] = ()
    groups_eidas_simple: tuple[str, ...] = ()
    groups_eidas_advanced: tuple[str, ...] = ()
    sweep_every_s: Annotated[int, Field(ge=1, le=60)] = 20
    patrol_every_s: Annotated[int, Field(ge=5, le=86_400)] = 300
    seal_level: SealLevel = "b-b"
    tsa_urls: tuple[Annotated[str, Field(pattern=r"^https?://[^\s]+$")], ...] = ()
    tsa_user: Annotated[str, Field(pattern=r"^[^:]*$")] = ""
    tsa_password: SecretStr = SecretStr("")
    trust_roots: Path | None = None
    outbound_origins: tuple[Annotated[str, Field(pattern=r"^https?://[^\s/]+$")], ...] = ()
    outbound_private_hosts: tuple[str, ...] = ()
    pdf_children: Annotated[int, Field(ge=1, le=64)] = 2
    fonts: tuple[Annotated[str, AfterValidator(_a_folder)], ...] | None = None
    seal_p12: Path | None = None
    seal_p12_password: SecretStr = SecretStr("")
    seal_pkcs11_module: str = ""
    seal_pkcs11_token: str = ""
    seal_pkcs11_key: str = ""
    seal_pkcs11_pin: SecretStr = SecretStr("")
    seal_pkcs11_certificate: str = ""
    cache_bytes: Annotated[int, Field(ge=0)] = 1_000_000_000
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _stamps_need_an_authority(self) -> Settings:
        if self.seal_level != "b-b" and not (self.tsa_urls and self.trust_roots):
            raise ValueError(f"PARAPHEUR_SEAL_LEVEL={self.seal_level} needs PARAPHEUR_TSA_URLS and _TRUST_ROOTS")
        return self


def from_environment(environment: Mapping[str, str] = os.environ, **ours: object) -> Settings:
    """``ours`` wins over the environment. Raises: BadSettings, naming what is wrong but showing no value."""
    values: dict[str, object] = {
        field: environment[name] for name, field in APPAPI_NAMES.items() if environment.get(name)
    }
    if "host_url" in values:  # as somebody typed it into a daemon's form
        values["host_url"] = environment["NEXTCLOUD_URL"].rstrip("/").removesuffix("/index.php")
    for name, value in environment.items():
        if not name.startswith(PREFIX) or name in LAUNCHER:
            continue
        field = name.removeprefix(PREFIX).lower()
        if field.endswith("_file"):
            field = field.removesuffix("_file")
            value = Path(value).read_text().strip()
        values[field] = [part.strip() for part in value.split(",") if part.strip()] if field in LISTS else value
    try:
        return Settings.model_validate(values | ours)
    except ValidationError as error:
        problems = "; ".join(
            f"{PREFIX}{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}" for item in error.errors()
        )
        raise BadSettings(problems) from None
