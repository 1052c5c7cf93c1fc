"""Typed settings. Order: flag > environment > ``passerelle.yaml`` > default."""

import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from passerelle.errors import UsageError

ENV_PREFIX = "PASSERELLE_"
SETTINGS_FILE = "passerelle.yaml"
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/\s]*(?=@)")


def default_keys_file() -> Path:
    """Where generated secrets live when none are given: outside every workspace."""
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(config) / "passerelle" / "keys.json"


class Settings(BaseSettings):
    """Every setting of the engine."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, yaml_file=SETTINGS_FILE, frozen=True, extra="forbid")

    workspace: Path = Field(Path("workspace"), description="folder of the lake, identity, outbox and report")
    engine: str = Field("embedded", description="embedded, sc://host:15002, local[*] or spark://…")
    jars: Path | None = Field(None, description="folder with the two Delta jars, for sites without a package mirror")
    buckets: int = Field(8, ge=1, le=10_000, description="person buckets of a new workspace; fixed once it exists")
    source_dsn: SecretStr | None = Field(None, description="PostgreSQL of the source; never printed")
    warehouse_dsn: SecretStr | None = Field(
        None, description="PostgreSQL that receives OMOP and the views; never printed"
    )
    secret_identity: SecretStr | None = Field(None, description="key of the hashes of persons (IPP, INS, NIR)")
    secret_stays: SecretStr | None = Field(None, description="key of the hashes of stays (IEP)")
    secret_rest: SecretStr | None = Field(None, description="key of all other hashes")
    secret_crosswalk: SecretStr | None = Field(None, description="key that encrypts the crosswalk")
    secret_crosswalk_before: SecretStr | None = Field(
        None, description="the former secret_crosswalk, until keys rotate has closed every workspace with the new one"
    )
    secret_notes: SecretStr | None = Field(None, description="key of the shift of dates in notes")
    keys_file: Path = Field(
        default_factory=default_keys_file, description="generated secrets, used where a secret_* is not set"
    )
    outbox_url: str | None = Field(None, description="SQLAlchemy URL of the outbox; default: SQLite in the workspace")
    mlflow_uri: str | None = Field(None, description="MLflow tracking URI; default: SQLite in the workspace")
    knowledge: Path | None = Field(
        None, description="folder of this hospital's own knowledge, a folder a model: docs/howto/own_knowledge.md"
    )
    fhir_url: str | None = Field(None, description="base URL of the FHIR server that receives results")
    fhir_file: Path | None = Field(
        None, description="YAML: the hospital's names in FHIR, and several servers with keys, certificates and limits"
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_format: str = Field("auto", description="auto, console or json")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)


def load_settings(**flags: Any) -> Settings:
    """Settings with the flags of a command on top; a flag that is None was not given.

    Raises: UsageError: naming the setting; never its value, which may be a secret.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        raise UsageError(
            f"a setting is not valid: {problems}",
            looked=f"flags, {ENV_PREFIX}*, {SETTINGS_FILE}",
            do="correct it; passerelle settings --help explains where settings come from",
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(
            f"{SETTINGS_FILE} cannot be read as settings",
            looked=str(Path(SETTINGS_FILE).absolute()),
            do="one setting a line, as in: workspace: /data/passerelle",
        ) from error


def shown(settings: Settings, name: str) -> str | None:
    """The value of a setting as it may be printed and kept: no secret, no password of a URL."""
    value = getattr(settings, name)
    return None if value is None else _PASSWORD.sub(r"\1:***", str(value))


def unknown_variables() -> list[str]:
    """Environment variables with our prefix that name no setting (a misspelling, most often)."""
    known = {f"{ENV_PREFIX}{name}".upper() for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.startswith(ENV_PREFIX) and name not in known)


def origin_of(name: str, flags: dict[str, Any]) -> str:
    """Where a setting's value came from: flag, environment, file or default."""
    if flags.get(name) is not None:
        return "flag"
    if f"{ENV_PREFIX}{name}".upper() in os.environ:
        return "environment"
    from_file = YamlConfigSettingsSource(Settings)()
    return SETTINGS_FILE if name in from_file else "default"
