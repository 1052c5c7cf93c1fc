"""The clients' file: who may call, with which keys."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from passerelle.errors import UsageError

PRIVATE = {"d", "p", "q", "k"}  # members of a JSON Web Key that nobody may publish


class Keys(BaseModel, extra="forbid", frozen=True):
    """The public keys of a client: written here, in a file beside this one, or at an address."""

    jwks: dict[str, Any] | None = Field(None, description="a JSON Web Key Set, in full")
    file: Path | None = Field(None, description="a file with one; relative to the clients' file")
    url: str | None = Field(None, description="where it is published; the only address that a token may name (jku)")

    @model_validator(mode="after")
    def _one_of_three(self) -> "Keys":
        if sum(value is not None for value in (self.jwks, self.file, self.url)) != 1:
            raise ValueError("give one of jwks, file, url")
        if self.url is not None and not self.url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError("keys are read over https, or from this machine")
        if self.jwks is not None and any(PRIVATE & key.keys() for key in self.jwks.get("keys", ())):
            raise ValueError("a private key stands in the file: make a new pair, and give its public half")
        return self


class Issuer(BaseModel, extra="forbid", frozen=True):
    """Who signs tokens."""

    issuer: str = Field(min_length=1, description="claim iss of its tokens")
    keys: Keys


class Client(Issuer):
    """A record system that calls hooks."""

    name: str = Field(min_length=1, description="as audits and metrics call it; says nothing about a person")
    origins: tuple[str, ...] = Field((), description="of its web pages, where a browser calls the hooks")


class PatientNames(BaseModel, extra="forbid", frozen=True):
    """How record systems name patients, in the words of the crosswalk (``urn:passerelle:<source>:person``)."""

    systems: dict[str, str] = Field({}, description="identifier system of a record system → that of the crosswalk")
    id_system: str | None = Field(None, description="system of the crosswalk that Patient/<id> belongs to, if one does")


class Limits(BaseModel, extra="forbid", frozen=True):
    """What a call may take."""

    budget_s: float = Field(1.0, gt=0, description="of a hook; then it is answered without cards")
    max_body_bytes: int = Field(2_000_000, ge=1_000, description="of a request")
    requests_a_minute: int = Field(6_000, ge=1, description="of one client")


class Registry(BaseModel, extra="forbid", frozen=True):
    """The whole file."""

    public_url: str | None = Field(None, description="base URL as clients call it; default: the address served")
    clients: tuple[Client, ...] = Field((), description="who may call hooks")
    authorization_server: Issuer | None = Field(None, description="whose access tokens open the FHIR API")
    patients: PatientNames = PatientNames()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _no_name_twice(self) -> "Registry":
        for values in ([c.issuer for c in self.clients], [c.name for c in self.clients]):
            if len(values) != len(set(values)):
                raise ValueError("two clients have the same issuer or the same name")
        return self

    @classmethod
    def read(cls, path: Path) -> "Registry":
        """From a YAML or JSON file.

        Raises: UsageError: naming the member that is wrong.
        """
        try:
            found = cls.model_validate(yaml.safe_load(path.read_text("utf-8")) or {})
        except (OSError, yaml.YAMLError) as error:
            raise UsageError(
                "the clients' file cannot be read", looked=f"{path}: {type(error).__name__}", do="correct the file"
            ) from error
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
            raise UsageError(
                f"the clients' file is not valid: {problems}", looked=str(path), do="see docs/howto/serve_results.md"
            ) from error
        return found
