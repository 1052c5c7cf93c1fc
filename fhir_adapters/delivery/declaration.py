"""The hospital's names in FHIR and the servers that it delivers to, as it declares them in one YAML file."""

import ssl
from pathlib import Path
from typing import Self

import httpx
import yaml
from pydantic import BaseModel, Field, ValidationError

from fhir_adapters.build import DEFAULT_SITE
from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.smart import BackendServices, SigningKey
from fhir_adapters.delivery.target import Target
from fhir_adapters.site import Site
from passerelle.errors import UsageError

SCOPES = " ".join(f"system/{name}.cru" for name in ("DetectedIssue", "RiskAssessment", "DocumentReference", "Device",
                                                    "Group", "Provenance")) + " system/Patient.s"  # fmt: skip


class SmartAuth(BaseModel, extra="forbid", frozen=True):
    """SMART Backend Services."""

    client_id: str
    keys: tuple[Path, ...] = Field(min_length=1, description="PEM files; the first signs, all are published")
    token_url: str | None = Field(None, description="None: as /.well-known/smart-configuration says")
    scopes: str = SCOPES

    def auth(self, base_url: str) -> httpx.Auth:
        """What httpx needs."""
        key = SigningKey.read(self.keys[0])
        return BackendServices(base_url, self.client_id, key, token_url=self.token_url, scopes=self.scopes)


class Tls(BaseModel, extra="forbid", frozen=True):
    """Whom we trust, and who we are (mTLS)."""

    authority: Path | None = Field(None, description="PEM of the authority of the server; None: those of the system")
    certificate: Path | None = Field(None, description="PEM of our own certificate")
    key: Path | None = Field(None, description="PEM of its key; None: in the same file")

    def context(self) -> ssl.SSLContext:
        """What httpx needs.

        Raises: UsageError: a file cannot be read.
        """
        try:
            context = ssl.create_default_context(cafile=self.authority)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"a certificate cannot be read: {type(error).__name__}",
                looked=", ".join(str(path) for path in (self.authority, self.certificate, self.key) if path),
                do="give PEM files that this user may read",
            ) from error
        return context


class TargetDeclaration(BaseModel, extra="forbid", frozen=True):
    """One server."""

    url: str = Field(description="base URL of its R4 endpoint")
    models: tuple[str, ...] | None = Field(None, description="whose results it gets; None: every model")
    smart: SmartAuth | None = None
    tls: Tls | None = None
    options: DeliveryOptions = DeliveryOptions()

    def takes(self, model: str) -> bool:
        """Whether it gets the results of a model."""
        return self.models is None or model in self.models

    def open(self) -> Target:
        """The client of the server."""
        return Target(self.url, timeout_s=self.options.timeout_s, auth=self.auth, tls=self.context)

    @property
    def auth(self) -> httpx.Auth | None:
        """How we prove who we are."""
        return None if self.smart is None else self.smart.auth(self.url)

    @property
    def context(self) -> ssl.SSLContext | None:
        """How the connection is secured; None: as the system does."""
        return None if self.tls is None else self.tls.context()


class Declaration(BaseModel, extra="forbid", frozen=True):
    """What one hospital decides about its FHIR."""

    site: Site = Field(DEFAULT_SITE, description="names and identifier systems of the hospital")
    targets: dict[str, TargetDeclaration] = Field(
        {}, description="every server, by the name that the outbox knows it by"
    )

    @classmethod
    def read(cls, path: Path) -> Self:
        """From the file; paths in it are relative to it.

        Raises: UsageError: naming file and key.
        """
        try:
            return cls.model_validate(_absolute(yaml.safe_load(path.read_text("utf-8")), path.parent))
        except (OSError, ValueError, yaml.YAMLError) as error:
            said = str(error)
            if isinstance(error, ValidationError):
                said = "; ".join(
                    f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors(include_input=False)
                )
            raise UsageError(
                f"the declaration of the hospital's FHIR cannot be used: {said}",
                looked=str(path),
                do="correct it; docs/howto/deliver_results.md has an example",
            ) from error


def _absolute(declared: object, folder: Path) -> object:
    """The declaration with the paths of keys and certificates made absolute."""
    if isinstance(declared, list):
        return [_absolute(item, folder) for item in declared]
    if not isinstance(declared, dict):
        return declared
    found: dict[object, object] = {name: _absolute(value, folder) for name, value in declared.items()}
    for name in ("authority", "certificate", "key"):
        if isinstance(found.get(name), str):
            found[name] = str(folder / str(found[name]))
    if isinstance(found.get("keys"), list):
        found["keys"] = [str(folder / str(key)) for key in found["keys"]]  # type: ignore[attr-defined]
    return found
